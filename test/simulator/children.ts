/** The processes that run seeds, one a core; what each finds comes back line by line. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { type Mutant, MUTANT_VARIABLE } from '../chaos/mutants/mutant.ts'
import type { Order, SeedReport } from './seeds-child.ts'

const INTERPOSE = new URL('./disk/interpose.ts', import.meta.url).href
const PLANT = new URL('../chaos/mutants/preload.ts', import.meta.url).href
const CHILD = new URL('./seeds-child.ts', import.meta.url).pathname

/** Resolves when the process has ended; rejects with what it said last when that was not in order. */
export async function runSeeds(order: Order, take: (report: SeedReport) => void, mutant?: Mutant): Promise<void> {
  const imports = [...(mutant === undefined ? [] : ['--import', PLANT]), '--import', INTERPOSE]
  const env = { ...process.env, ...(mutant === undefined ? {} : { [MUTANT_VARIABLE]: JSON.stringify(mutant) }) }
  const child = spawn(process.execPath, [...imports, CHILD, JSON.stringify(order)], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4_000)))
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  for await (const line of createInterface({ input: child.stdout })) take(JSON.parse(line) as SeedReport)
  const status = await ended
  if (status !== 0) throw new Error(`a process of the simulator ended with ${status}:\n${said}`)
}
