/** How long each part measures. `quick` is for every change and ends within 90 seconds, `full` within 6 minutes. */

export interface Rate {
  readonly perSecond: number
  readonly commands: number
}

export interface Plan {
  readonly mode: 'quick' | 'full'
  /** Interleaved rounds of shipped and unshipped, and commands in each. */
  /** At most so many rounds, and no further one after so many seconds; commands in each. */
  readonly throughput: { readonly rounds: number; readonly seconds: number; readonly commands: number }
  /** Mints are pages alone; a revocation also comes on the stream, ahead of its pages. */
  readonly latency: { readonly mint: readonly Rate[]; readonly revoke: readonly Rate[] }
  readonly verification: { readonly rounds: number; readonly milliseconds: number }
  readonly propagation: { readonly rates: readonly Rate[]; readonly global: number }
  readonly cached: { readonly rounds: number }
  /** Rounds with and without an archive, commands in full groups in each, single commits at a pace; rates to see the lag at. */
  readonly archiving: {
    readonly rounds: number
    readonly commands: number
    readonly single: Rate
    readonly lag: readonly Rate[]
  }
  /** Transactions behind the snapshot of the small database, and the size of the large one. */
  readonly restore: { readonly rounds: number; readonly transactions: number; readonly largeMegabytes: number }
  /** At most so many rounds, as above; in each, every library does every task for so many milliseconds. */
  readonly macaroons: { readonly rounds: number; readonly seconds: number; readonly milliseconds: number }
  /** Of the history that was undone. */
  readonly denials: { readonly rows: number }
  readonly revocations: { readonly tokens: number; readonly seconds: number }
  /** For how long beside each neighbour; mints on record at the off-boarding. */
  readonly neighbours: { readonly milliseconds: number; readonly mints: number }
}

export const QUICK: Plan = {
  mode: 'quick',
  throughput: { rounds: 5, seconds: 8, commands: 10_000 },
  latency: {
    mint: [
      { perSecond: 1, commands: 8 },
      { perSecond: 100, commands: 400 },
      { perSecond: 1000, commands: 4_000 },
    ],
    revoke: [
      { perSecond: 100, commands: 300 },
      { perSecond: 1000, commands: 3_000 },
    ],
  },
  verification: { rounds: 3, milliseconds: 500 },
  propagation: {
    rates: [
      { perSecond: 1, commands: 5 },
      { perSecond: 100, commands: 300 },
      { perSecond: 1000, commands: 2_000 },
    ],
    global: 50,
  },
  cached: { rounds: 10 },
  archiving: {
    rounds: 3,
    commands: 10_000,
    single: { perSecond: 500, commands: 1_000 },
    lag: [
      { perSecond: 10, commands: 40 },
      { perSecond: 500, commands: 1_500 },
    ],
  },
  restore: { rounds: 2, transactions: 2_000, largeMegabytes: 100 },
  macaroons: { rounds: 7, seconds: 20, milliseconds: 10 },
  denials: { rows: 100_000 },
  revocations: { tokens: 100, seconds: 5 },
  neighbours: { milliseconds: 1_500, mints: 20_000 },
}

export const FULL: Plan = {
  mode: 'full',
  throughput: { rounds: 15, seconds: 40, commands: 20_000 },
  latency: {
    mint: [
      { perSecond: 1, commands: 40 },
      { perSecond: 100, commands: 3_000 },
      { perSecond: 1000, commands: 15_000 },
    ],
    revoke: [
      { perSecond: 1, commands: 20 },
      { perSecond: 100, commands: 2_000 },
      { perSecond: 1000, commands: 15_000 },
    ],
  },
  verification: { rounds: 5, milliseconds: 1_000 },
  propagation: {
    rates: [
      { perSecond: 1, commands: 20 },
      { perSecond: 100, commands: 1_500 },
      { perSecond: 1000, commands: 10_000 },
    ],
    global: 300,
  },
  cached: { rounds: 40 },
  archiving: {
    rounds: 7,
    commands: 20_000,
    single: { perSecond: 500, commands: 2_500 },
    lag: [
      { perSecond: 10, commands: 100 },
      { perSecond: 500, commands: 5_000 },
    ],
  },
  restore: { rounds: 3, transactions: 10_000, largeMegabytes: 1_000 },
  macaroons: { rounds: 9, seconds: 60, milliseconds: 30 },
  denials: { rows: 1_000_000 },
  revocations: { tokens: 1_000, seconds: 25 },
  neighbours: { milliseconds: 5_000, mints: 1_000_000 },
}
