/** The fuzzing thread. It counts coverage from before the first decoder is loaded. */
import { parentPort, workerData } from 'node:worker_threads'
import { Coverage } from './coverage.ts'
import type { FuzzOrder, FuzzReport } from './order.ts'

const order = workerData as FuzzOrder
const coverage = new Coverage()
const { Fuzzer } = await import('./fuzzer.ts')
const { removeScratch } = await import('./scratch.ts')
const fuzzer = await Fuzzer.start(order)
const report = await fuzzer.run(order.count).finally(removeScratch)
parentPort?.postMessage({ ...report, coverage: coverage.take() } satisfies FuzzReport)
