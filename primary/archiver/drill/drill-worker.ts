/**
 * Entry of the thread for restore drills. SQLite's check of a whole database takes seconds, and commits must not wait for it.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { openArchive } from '../../../shared/archive/open-archive.ts'
import { reportOf } from '../../../shared/errors.ts'
import { type DrillRequest, runDrill } from './drill.ts'
import type { DrillAnswer } from './drill-thread.ts'

const request = workerData as DrillRequest

async function answer(): Promise<DrillAnswer> {
  try {
    return { drilled: await runDrill(request, openArchive) }
  } catch (error) {
    return { error: reportOf(error) }
  }
}

parentPort?.postMessage(await answer())
