/** A cluster at rest: every answer is the final one, both nodes end in order, and their files are equal byte for byte. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Cluster } from './cluster.ts'
import { copyNode } from './disk.ts'
import { judgePrimary, judgeReplica } from './judge.ts'
import type { KnownToken, Ledger } from './ledger.ts'
import type { Load } from './load.ts'
import type { NodeProcess } from './node-process.ts'

const SETTLE_MS = 20_000
const POLL_MS = 50
const VERIFIED_AT_ONCE = 50

export async function expectAnswers(load: Load, tokens: readonly KnownToken[], wanted: string): Promise<void> {
  for (let start = 0; start < tokens.length; start += VERIFIED_AT_ONCE) {
    const some = tokens.slice(start, start + VERIFIED_AT_ONCE)
    await Promise.all(some.map((known) => expectAnswer(load, known, wanted)))
  }
}

/** A worker that has just lost its replica answers `unavailable` until it is connected again. */
async function expectAnswer(load: Load, known: KnownToken, wanted: string): Promise<void> {
  const deadline = Date.now() + SETTLE_MS
  let answer = await load.verify(known)
  while (answer === 'unavailable' && Date.now() < deadline) {
    await setTimeout(POLL_MS)
    answer = await load.verify(known)
  }
  if (answer !== wanted) throw new Error(`at rest, ${known.id} is answered ${answer}, not ${wanted}`)
}

/** One after the other. */
export async function stopInOrder(nodes: readonly NodeProcess[]): Promise<void> {
  for (const node of nodes) {
    node.signal('SIGTERM')
    const ending = await node.endedWithin(SETTLE_MS)
    if (ending?.code !== 0) throw new Error(`a clean stop ended with ${JSON.stringify(ending)}\n${node.log.join('\n')}`)
  }
}

/** Neither node runs. */
export function requireSameBytes({ primary, replicas }: Cluster, ledger: Ledger): void {
  const [replica] = replicas
  if (replica === undefined) throw new Error('no replica')
  const copies = [primary, replica].map((node) => copyNode(node.data, join(node.folder, 'judged')))
  const [primaryCopy = '', replicaCopy = ''] = copies
  judgePrimary(primaryCopy, ledger)
  judgeReplica(replicaCopy, ledger, { complete: true })
  // The judges emptied both WALs into the files: what is compared is all there is.
  const [ours, theirs] = copies.map((copy) => readFileSync(join(copy, 'macaroond.db')))
  if (ours === undefined || theirs?.equals(ours) !== true) throw new Error('the files of primary and replica differ')
}
