/**
 * Primary and replica, killed under load at every point where they change what is on disk. Only kills inside a stage count.
 *
 * `CHAOS_SEED` repeats a run's choices, `CHAOS_KILLS` sets how many kills of each node a run is to count, `CHAOS_POINT` (a
 * regular expression) leaves only some of the ways to die, for a look at a failure. `CHAOS_EVIDENCE` names the file that what
 * was seen is added to.
 */
import { expect, test } from 'vitest'
import { keepEvidence } from '../evidence/file.ts'
import { NOTHING_COUNTED, rounded } from '../evidence/record.ts'
import { runCampaign } from './campaign.ts'
import { Histogram, cellName, cellsOf, stagesOf, type Cell } from './cells.ts'
import type { Role } from './kill-point/points.ts'
import { Random } from './random.ts'
import { straceWorks } from './strace.ts'

const { CI, CHAOS_SEED, CHAOS_KILLS, CHAOS_POINT } = process.env
const SEED = Number(CHAOS_SEED ?? Math.floor(Math.random() * 1e9))
const KILLS = Number(CHAOS_KILLS ?? (CI === undefined ? 200 : 40))
/** Kills of each node in a round, and rounds that one cluster goes through: a new one starts small again. */
const ROUND_KILLS = 10
const CLUSTER_ROUNDS = 4
/** Lives whose point does not come are lived again, but not for ever. */
const LIVES_PER_KILL_MAX = 3
const STAGE_SHARE_MIN = 0.06

const strace = straceWorks()

/** Draws cells in turn from all of them, shuffled anew each time: every cell comes up equally often. */
class Deck {
  readonly #cells: readonly Cell[]
  readonly #random: Random
  #waiting: Cell[] = []

  constructor(role: Role, random: Random) {
    const all = cellsOf(role, strace)
    const some = all.filter((cell) => new RegExp(CHAOS_POINT ?? '').test(cellName(cell)))
    this.#cells = some.length > 0 ? some : all
    this.#random = random
  }

  /** Those that disturb the folder come last: until the round ends less can be expected of the copy. */
  draw(count: number): Cell[] {
    while (this.#waiting.length < count) this.#waiting.push(...this.#random.shuffled(this.#cells))
    return this.#waiting
      .splice(0, count)
      .toSorted((a, b) => Number(a.needs !== undefined) - Number(b.needs !== undefined))
  }

  putBack(cells: readonly Cell[]): void {
    this.#waiting.push(...cells.filter(({ role }) => role === this.#cells[0]?.role))
  }
}

test(
  `nothing acknowledged is lost, torn or forked by ${KILLS} kills of the primary and of a replica`,
  { timeout: KILLS * 30_000 },
  async () => {
    console.log(
      `seed ${SEED}; system calls are ${strace ? 'killed by strace' : 'NOT killed: strace does not work here'}`,
    )
    const startedMs = performance.now()
    const random = new Random(SEED)
    const histogram = new Histogram()
    const decks = { primary: new Deck('primary', random), replica: new Deck('replica', random) }
    const sums = {
      lives: 0,
      minted: 0,
      revoked: 0,
      verified: 0,
      refused: 0,
      unavailable: 0,
      indeterminate: 0,
      positions: 0,
      comparisons: 0,
    }
    const missed = new Map<string, number>()
    const lacking = (role: Role): number => Math.max(0, KILLS - histogram.total(role))
    while (lacking('primary') + lacking('replica') > 0) {
      expect(sums.lives, 'too many lives whose point never came').toBeLessThan(2 * KILLS * LIVES_PER_KILL_MAX)
      // One more than is lacking: not every life ends where it should.
      const perRound = (role: Role): number => Math.min(ROUND_KILLS, lacking(role) + 1)
      const most = Math.max(lacking('primary'), lacking('replica'))
      const rounds = Array.from({ length: Math.min(CLUSTER_ROUNDS, Math.ceil(most / ROUND_KILLS)) }, () => ({
        primary: decks.primary.draw(perRound('primary')),
        replica: decks.replica.draw(perRound('replica')),
      }))
      const result = await runCampaign({ seed: random.below(2 ** 31), histogram, rounds })
      const { ledger } = result
      for (const cell of result.missed) missed.set(cellName(cell), (missed.get(cellName(cell)) ?? 0) + 1)
      decks.primary.putBack(result.missed)
      decks.replica.putBack(result.missed)
      for (const round of rounds) sums.lives += round.primary.length + round.replica.length
      sums.minted += ledger.tokens.length
      sums.revoked += ledger.revoked.length
      sums.verified += ledger.verified
      sums.refused += ledger.refusedAsRevoked
      sums.unavailable += ledger.unavailable
      sums.indeterminate += ledger.indeterminate
      sums.positions += ledger.positions
      sums.comparisons += result.comparisons
      console.log(
        `${histogram.total('primary')} + ${histogram.total('replica')} kills counted; ${JSON.stringify(sums)}`,
      )
    }
    console.log(`${histogram.text()}\nnot counted: ${JSON.stringify(Object.fromEntries(missed))}\nseed ${SEED}`)
    keepEvidence({
      t: 'processes',
      suite: 'killed wherever they change what is on disk',
      runs: 1,
      wallSeconds: rounded((performance.now() - startedMs) / 1_000),
      counts: { ...NOTHING_COUNTED, verifications: sums.verified },
      faults: { killed: histogram.total('primary') + histogram.total('replica') },
      violations: [],
      worst: 0,
    })
    // What was judged must not have been nothing.
    for (const role of ['primary', 'replica'] as const) {
      for (const stage of CHAOS_POINT === undefined ? stagesOf(role) : []) {
        expect(histogram.total(role, stage), `kills of the ${role} in ${stage}`).toBeGreaterThanOrEqual(
          KILLS * STAGE_SHARE_MIN,
        )
      }
    }
    expect(sums.minted).toBeGreaterThan(KILLS * 5)
    expect(sums.revoked).toBeGreaterThan(KILLS)
    expect(sums.refused).toBeGreaterThan(KILLS * 3)
    expect(sums.comparisons).toBeGreaterThanOrEqual(KILLS / ROUND_KILLS)
  },
)
