/** Checks what a node reports of a disk that fails: exit status, log, and answers to callers. */
import type { NodeFiles } from '../cluster.ts'
import type { Ending } from '../node-process.ts'
import type { DiskFault } from './disk-faults.ts'

const EXIT_FAILED = 1
/** As the kernel or SQLite names it. */
const ERROR = /\b(E[A-Z]{2,}|SQLITE_[A-Z_]+)\b/
const SECRET = /mcn1_|PRIVATE|[0-9a-f]{64}/

/** The status of a failure, and a last word that names the error and the file or folder. */
export function requireDocumentedEnd({ code, signal }: Ending, log: readonly string[], { data }: NodeFiles): void {
  if (code !== EXIT_FAILED) throw new Error(`it ended with ${code ?? signal}`)
  const named = log.filter((line) => ERROR.test(line) && line.includes(data))
  if (named.length === 0) throw new Error('it ended without a word on which file failed, and how')
}

/**
 * A call that its caller repeats, and one that only tidies up, need no report; nor does SQLite's own sync of the
 * folder of its log, which comes after the node's.
 */
function mayBeSilent({ class: kind, failure, file }: DiskFault): boolean {
  // SQLite opens read-only what it cannot open for writing; a caller that has to write gets an error.
  const isTriedAgain = kind === 'no descriptor' && !failure.onwards
  return (
    kind === 'interrupted' || isTriedAgain || failure.syscall === 'unlink' || file === 'lock' || file === 'data folder'
  )
}

/** `wasRefused`: a caller received this error. */
export function requireReported(log: readonly string[], wasRefused: boolean, fault: DiskFault): void {
  if (mayBeSilent(fault) || wasRefused || log.some((line) => ERROR.test(line) || /disk is( still)? full/.test(line)))
    return
  throw new Error('it went on without a word')
}

export function requireNoSecret(log: readonly string[]): void {
  const line = log.find((one) => SECRET.test(one))
  if (line !== undefined) throw new Error(`a secret is in the log: ${line}`)
}

/** A transaction that is in the database and in no log is in no archive either, and replicas need a snapshot. */
export function requireNoGap(log: readonly string[]): void {
  const line = log.find((one) => one.includes('was set aside'))
  if (line !== undefined) throw new Error(`the segment log has a gap: ${line}`)
}
