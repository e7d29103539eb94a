/** The final check, after the last fault: every node catches up, every service is asked once more, and the disks are compared. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { FALLEN, type HistoryEvent, type VerifyEvent } from '../../history/event.ts'
import { copyNode } from '../disk.ts'
import { judgePrimary, judgeReplica } from '../judge.ts'
import { type KnownToken, Ledger } from '../ledger.ts'
import type { ShownToken } from './service-process.ts'
import { monotonicMs } from './clock.ts'
import type { Load } from './load.ts'
import type { Testbed } from './testbed.ts'

/** Processes that start anew, on a machine that is busy with the others. */
const REST_MS_MAX = 30_000
const POLL_MS = 50

/** Resolves once every service has accepted a token that nobody revokes, asked after this began; false when one does not in time. */
export async function allFresh(testbed: Testbed, { known: { lasting } }: Load): Promise<boolean> {
  const accepted = (event: VerifyEvent): boolean => event.result === 'allow' && isOneOf(lasting, event)
  return allTell(testbed, ({ length }) => length > 0, accepted)
}

/** One sentence for each thing that is not as it should be. The load has ended, the faults are over. */
export async function lastLook(testbed: Testbed, load: Load): Promise<readonly string[]> {
  const found: string[] = []
  if (!(await allFresh(testbed, load))) found.push('not every service is fresh again')
  if (!(await within(() => atOnePosition(testbed)))) found.push('the replicas have not caught up')
  found.push(...(await lastAnswers(testbed, load)))
  await Promise.all(testbed.services.map((service) => service.stop()))
  for (const { code, signal } of await testbed.stopNodes()) {
    if (code !== 0) found.push(`a node that was asked to stop ended with ${code ?? signal}`)
  }
  return [...found, ...disks(testbed)]
}

async function atOnePosition({ cluster }: Testbed): Promise<boolean> {
  const { position } = await cluster.primaryStatus()
  const theirs = await Promise.all(cluster.replicas.map((replica) => cluster.replicaStatus(replica)))
  return theirs.every((status) => status.position === position && status.alarm === null)
}

/** Everybody refuses what was revoked, as revoked, and accepts what was not. */
async function lastAnswers(testbed: Testbed, { known: { ended, lasting } }: Load): Promise<readonly string[]> {
  for (const service of testbed.services) service.show([...ended, ...lasting])
  const wrong = (event: VerifyEvent): boolean =>
    (isOneOf(ended, event) && !FALLEN.has(event.reason)) || (isOneOf(lasting, event) && event.result !== 'allow')
  const ids = new Set([...ended, ...lasting].map(({ id }) => id))
  const all = (answers: readonly VerifyEvent[]): boolean => new Set(answers.map(({ id }) => id)).size === ids.size
  const right = (event: VerifyEvent): boolean => !wrong(event) && ids.has(event.id)
  const began = testbed.events.length
  if (await allTell(testbed, all, right)) return []
  const last = testbed.events.slice(began).filter((event) => event.t === 'verify' && wrong(event))
  return [`at rest somebody answers wrongly: ${JSON.stringify(last.at(-1))}`]
}

function isOneOf(tokens: readonly ShownToken[], { id }: VerifyEvent): boolean {
  return id !== undefined && tokens.some((token) => token.id === id)
}

/** Whether every service, asked from now on, gives enough of these answers in time. */
async function allTell(
  testbed: Testbed,
  enough: (answers: readonly VerifyEvent[]) => boolean,
  counts: (event: VerifyEvent) => boolean,
): Promise<boolean> {
  const [began, sinceMs] = [testbed.events.length, monotonicMs()]
  return within(() => {
    const answers = testbed.events.slice(began).filter((event) => event.t === 'verify')
    const asked = answers.filter((event) => event.inv >= sinceMs && counts(event))
    const own = Map.groupBy(asked, ({ proc }) => proc)
    return testbed.services.every(({ options }) => enough(own.get(options.name) ?? []))
  })
}

async function within(met: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadlineMs = monotonicMs() + REST_MS_MAX
  while (monotonicMs() < deadlineMs) {
    // A node that cannot be asked yet has not come to rest.
    if (await Promise.resolve(met()).catch(() => false)) return true
    await delay(POLL_MS)
  }
  return false
}

/** Sound, with an unbroken audit, and the same bytes everywhere. */
function disks({ cluster, events }: Testbed): readonly string[] {
  const ledger = acknowledgedIn(events)
  const copies = [cluster.primary, ...cluster.replicas].map((node) => copyNode(node.data, join(node.folder, 'judged')))
  const [primary = '', ...replicas] = copies
  try {
    judgePrimary(primary, ledger)
    for (const replica of replicas) judgeReplica(replica, ledger, { complete: true })
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
  const bytes = (copy: string): Buffer => readFileSync(join(copy, 'macaroond.db'))
  return replicas.flatMap((copy, index) =>
    bytes(copy).equals(bytes(primary)) ? [] : [`the file of ${cluster.replicas[index]?.name} is not the primary’s`],
  )
}

/** Every mint, and every revocation of one token, that was answered. */
function acknowledgedIn(events: readonly HistoryEvent[]): Ledger {
  const ledger = new Ledger()
  const known = (id: string): KnownToken => ({ token: '', id, position: '', revocationSent: true, revoked: true })
  for (const event of events) {
    if (event.t === 'mint') ledger.tokens.push(known(event.id))
    if (event.t === 'revoke' && event.result === 'ok' && event.named.kind === 'token')
      ledger.revoked.push(known(event.named.id))
  }
  return ledger
}
