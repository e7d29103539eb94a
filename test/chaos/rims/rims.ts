/** All that surrounds a cluster fails at once, each rim in a rhythm of its own, until the time is over. */
import Database from 'better-sqlite3'
import { setTimeout as delay } from 'node:timers/promises'
import type { FaultEvent, FaultKind } from '../../history/event.ts'
import { FRESHNESS_DEFAULTS } from '../../../shared/freshness/bound.ts'
import { CLUSTER } from '../cluster.ts'
import { monotonicMs } from '../partition/clock.ts'
import { kill, moveWallClock } from '../partition/nemesis.ts'
import { REGIONS, type Testbed, type TestbedOptions } from '../partition/testbed.ts'
import type { Random } from '../random.ts'
import { untilCreated } from '../partition/load.ts'
import { FULL_DISK, FullLog, loggingTo } from './full-log.ts'
import { HOSTILE_ORG, HostileSigner } from './hostile-signer.ts'
import { LyingArchive } from './lying-archive.ts'

const YEAR_S = 365 * 86_400
/** The clock of a primary may go anywhere. One of another that jumps ahead ends its lease early, which is as it should be. */
const PRIMARY_AWAY_S = [YEAR_S, -YEAR_S, 7_200, -7_200, 50]
const OTHERS_AWAY_S = [-2, 1, 2]
/** After a start of the primary, with a signer that dials as often as it can. */
const LEASES_AGAIN_MS_MAX = 10_000
/** More than is left of one of before. */
const NEW_LEASE_MS = FRESHNESS_DEFAULTS.lease_ms - 1_000

export interface RimsOptions {
  readonly random: Random
  readonly seconds: number
  readonly say: (line: string) => void
}

export class Rims {
  readonly #logs: ReadonlyMap<string, FullLog>
  readonly #archive: LyingArchive
  readonly #hostile: HostileSigner
  #endMs = 0
  /** Ends when nobody has the clock or the life of the primary in its hand. */
  #primary: Promise<unknown> = Promise.resolve()

  private constructor(logs: ReadonlyMap<string, FullLog>, archive: LyingArchive, hostile: HostileSigner) {
    this.#logs = logs
    this.#archive = archive
    this.#hostile = hostile
  }

  static async build(folder: string): Promise<Rims> {
    const logs = new Map(['primary', 'sin'].map((name) => [name, new FullLog(folder, name)] as const))
    return new Rims(logs, await LyingArchive.start(folder), await HostileSigner.create(folder))
  }

  get testbed(): Required<Pick<TestbedOptions, 'settings' | 'start'>> {
    return {
      settings: this.#archive.settings + this.#hostile.settings,
      start: (name) => ({ on: loggingTo(this.#logs.get(name)?.path ?? FULL_DISK), env: this.#archive.env }),
    }
  }

  /** The last lines of the logs that had room. */
  get logged(): string {
    for (const log of this.#logs.values()) log.drain()
    return [...this.#logs].map(([name, { tail }]) => `${name}:\n${tail}`).join('\n')
  }

  /** Resolves when the time is over and nothing fails any more. What was done is among the events of the testbed. */
  async fail(testbed: Testbed, { random, seconds, say }: RimsOptions): Promise<void> {
    const signer = await testbed.signer()
    await untilCreated(signer, HOSTILE_ORG)
    const { address, peerId } = testbed.cluster.primary
    await this.#hostile.start({ cluster: CLUSTER, address, peerId })
    this.#endMs = monotonicMs() + seconds * 1_000
    const logs = [...this.#logs].map(([name, log]) => this.#repeat(() => fullLog(testbed, name, log)))
    await Promise.all([
      ...logs,
      this.#repeat(() => this.#lies(random)),
      this.#repeat(() => moveOthersClock(testbed, random)),
      this.#repeat(() => this.#withPrimary(() => movePrimarysClock(testbed, random))),
      this.#repeat(() => this.#burst(say)),
      this.#repeat(() => longReader(testbed)),
      this.#repeat(async () => {
        await testbed.pause(20_000)
        return this.#withPrimary(() => primaryAway(testbed, 100 + random.below(2_000)))
      }),
    ]).then((events) => testbed.events.push(...events.flat()))
  }

  async close(): Promise<void> {
    await this.#hostile.stop()
    this.#archive.stop()
    for (const log of this.#logs.values()) log.close()
  }

  async #repeat(once: () => Promise<readonly FaultEvent[]>): Promise<readonly FaultEvent[]> {
    const events: FaultEvent[] = []
    while (monotonicMs() < this.#endMs) events.push(...(await once()))
    return events
  }

  /** A clock that is away when a primary starts is another fault. */
  #withPrimary<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#primary.then(work)
    this.#primary = done
    return done
  }

  async #lies(random: Random): Promise<readonly FaultEvent[]> {
    const events = await lasting('archive lies', 'archive', async () => {
      const before = this.#archive.spoiled
      this.#archive.lie(random)
      await delay(10_000)
      this.#archive.beHonest()
      return this.#archive.spoiled - before
    })
    await delay(3_000)
    return events
  }

  async #burst(say: RimsOptions['say']): Promise<readonly FaultEvent[]> {
    const events = await lasting('hostile signer', 'primary', async () => {
      this.#hostile.beginBurst()
      await delay(6_000)
      const answered = await this.#hostile.endBurst()
      say(`the hostile signer was answered ${JSON.stringify(answered)}`)
      return Object.values(answered).reduce((sum, count) => sum + count, 0)
    })
    await delay(4_000)
    return events
  }
}

async function fullLog(testbed: Testbed, name: string, log: FullLog): Promise<readonly FaultEvent[]> {
  const events = await lasting('log full', name, async () => {
    log.fill()
    await delay(8_000)
    return blocked(testbed, name)
  })
  log.drain()
  await delay(2_000)
  log.drain()
  return events
}

/** One while the node says so, or has dropped lines since its start; none while it is away. */
async function blocked({ cluster }: Testbed, name: string): Promise<number> {
  const replica = cluster.replicas.find((node) => node.name === name)
  const asked = replica === undefined ? cluster.primaryStatus() : cluster.replicaStatus(replica)
  const isBlocked = await asked.then(
    ({ alarms, linesDropped }) => linesDropped.stderr > 0 || alarms.some(({ code }) => code === 'log_blocked'),
    () => false,
  )
  return isBlocked ? 1 : 0
}

/** Killed and started; it is over when every replica has a lease again. */
async function primaryAway(testbed: Testbed, ms: number): Promise<readonly FaultEvent[]> {
  const events = await kill('primary', ms).inject(testbed)
  const leased = async (): Promise<boolean> => {
    const states = testbed.cluster.replicas.map((replica) => testbed.cluster.replicaStatus(replica))
    return (await Promise.all(states)).every(({ freshness }) => freshness.leaseMs > NEW_LEASE_MS)
  }
  const startedMs = monotonicMs()
  while (monotonicMs() < startedMs + LEASES_AGAIN_MS_MAX && !(await leased().catch(() => false))) await delay(100)
  return events.map((event) => ({ ...event, until: monotonicMs() }))
}

async function moveOthersClock(testbed: Testbed, random: Random): Promise<readonly FaultEvent[]> {
  const targets = [...REGIONS, ...testbed.services.map(({ options }) => options.name)]
  const events = await moved(testbed, random, random.pick(targets) ?? 'fra', OTHERS_AWAY_S)
  await delay(2_000)
  return events
}

async function movePrimarysClock(testbed: Testbed, random: Random): Promise<readonly FaultEvent[]> {
  const events = await moved(testbed, random, 'primary', PRIMARY_AWAY_S)
  // It has read its clock again before anything else is done to it.
  await delay(2_000)
  return events
}

function moved(
  testbed: Testbed,
  random: Random,
  target: string,
  away: readonly number[],
): Promise<readonly FaultEvent[]> {
  return moveWallClock(target, random.pick(away) ?? 0, 2_000 + random.below(4_000)).inject(testbed)
}

/** A program that keeps a transaction open on the database of every node. */
function longReader({ cluster }: Testbed): Promise<readonly FaultEvent[]> {
  return lasting('long reader', 'primary', async () => {
    const readers = [cluster.primary, ...cluster.replicas].map(({ database }) => {
      const reader = new Database(database, { readonly: true })
      reader.exec('BEGIN')
      reader.prepare('SELECT txid FROM meta').get()
      return reader
    })
    await delay(10_000)
    const seen = readers.map((reader) => reader.prepare('SELECT txid FROM meta').pluck().get() as number)
    for (const reader of readers) reader.close()
    const now = new Database(cluster.primary.database, { readonly: true })
    const txid = now.prepare('SELECT txid FROM meta').pluck().get() as number
    now.close()
    return txid - Math.max(...seen)
  })
}

async function lasting(kind: FaultKind, target: string, work: () => Promise<number>): Promise<readonly FaultEvent[]> {
  const from = monotonicMs()
  const effect = await work()
  return [{ t: 'fault', kind, target, from, until: monotonicMs(), effect }]
}
