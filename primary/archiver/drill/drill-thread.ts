/** Runs a restore drill in a thread of its own, so that it does not block commits. */
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Drilled, DrillRunner } from './drill.ts'
import { type ErrorReport, fromReport, MacaroondError } from '../../../shared/errors.ts'

export type DrillAnswer = { readonly drilled: Drilled } | { readonly error: ErrorReport }

/** The worker file has the extension of this file: `.ts` in a checkout, `.js` in an installed package. */
const PROGRAM: URL = new URL(`./drill-worker${extname(import.meta.url)}`, import.meta.url)

export const drillInThread: DrillRunner = async (request, signal) => {
  // The thread gets streams of its own, because writing to those of the process could block it.
  const worker = new Worker(PROGRAM, { workerData: request, stdout: true, stderr: true })
  const end = (): void => void worker.terminate()
  signal.addEventListener('abort', end)
  try {
    const answer = await new Promise<DrillAnswer>((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
      worker.once('exit', () => reject(new MacaroondError('closed', 'the drill was stopped before it was complete')))
    })
    if ('error' in answer) throw fromReport(answer.error)
    return answer.drilled
  } finally {
    signal.removeEventListener('abort', end)
  }
}
