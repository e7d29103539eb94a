/** A thread for restore drills: checking a whole database takes SQLite seconds, and commits must not wait for that. */
import { parentPort, workerData } from 'node:worker_threads'
import { drill } from '../../shared/archive/drill.ts'
import { readManifest } from '../../shared/archive/manifest-store.ts'
import { openArchive } from '../../shared/archive/open-archive.ts'
import { reportOf } from '../../shared/errors.ts'
import type { DrillAnswer, DrillOrder } from './drill-thread.ts'

const order = workerData as DrillOrder

async function answer(): Promise<DrillAnswer> {
  try {
    const storage = await openArchive(order.location)
    const { files } = await readManifest(storage, order.publicKey)
    return { drilled: await drill({ ...order, storage, files: [...files.values()] }) }
  } catch (error) {
    return { error: reportOf(error) }
  }
}

parentPort?.postMessage(await answer())
