/**
 * Loaded before a node (`node --import`): holds it back until strace has its hand on the threads that are to be traced (one, or
 * as many as `CHAOS_TRACED` says). Counts of system calls then begin with the node's own first one, and the threads that are
 * not traced run at full speed.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { DirectoryStorage } from '../../../shared/archive/directory.ts'
import { wrapMethod } from '../../bench/wrap.ts'
import { writerOf } from './targets.ts'

// The names of temporary files are known to the tracer of calls on them.
const entropy = { bytes: () => Buffer.from(writerOf(process.pid), 'hex') }
wrapMethod(
  DirectoryStorage,
  'open',
  (open) => (path, options) => open.call(DirectoryStorage, path, { ...options, entropy }),
)

// The pool's only thread is made by the first work for it.
await stat('/')
const nap = new Int32Array(new SharedArrayBuffer(4))
const isTraced = (thread: string): boolean =>
  !/^TracerPid:\t0$/m.test(readFileSync(`/proc/self/task/${thread}/status`, 'utf8'))
const wanted = Number(process.env['CHAOS_TRACED'] ?? 1)
while (readdirSync('/proc/self/task').filter(isTraced).length < wanted) Atomics.wait(nap, 0, 0, 2)
