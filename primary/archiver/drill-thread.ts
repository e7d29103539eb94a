/** Runs a restore drill in a thread of its own. */
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Drilled } from '../../shared/archive/drill.ts'
import { type ErrorReport, fromReport, MacaroondError } from '../../shared/errors.ts'
import type { DrillRunner } from './drill-order.ts'

export type DrillAnswer = { readonly drilled: Drilled } | { readonly error: ErrorReport }

/** In a checkout this file is TypeScript, in an installed package JavaScript; so is the one beside it. */
const PROGRAM: URL = new URL(`./drill-worker${extname(import.meta.url)}`, import.meta.url)

export const drillInThread: DrillRunner = async (order, signal) => {
  // What the thread prints would go through the streams of the process, and wait there.
  const worker = new Worker(PROGRAM, { workerData: order, stdout: true, stderr: true })
  const end = (): void => void worker.terminate()
  signal.addEventListener('abort', end)
  try {
    const answer = await new Promise<DrillAnswer>((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
      worker.once('exit', () => reject(new MacaroondError('closed', 'the drill was ended before it was done')))
    })
    if ('error' in answer) throw fromReport(answer.error)
    return answer.drilled
  } finally {
    signal.removeEventListener('abort', end)
  }
}
