/** How long each part measures. `quick` is for every change and ends within 90 seconds, `full` within 6 minutes. */

export interface Plan {
  readonly mode: 'quick' | 'full'
  /** Interleaved rounds of shipped and unshipped, and commands in each. */
  readonly throughput: { readonly rounds: number; readonly commands: number }
  readonly latency: readonly { readonly perSecond: number; readonly commands: number }[]
  readonly verification: { readonly rounds: number; readonly milliseconds: number }
  readonly revocations: number
}

export const QUICK: Plan = {
  mode: 'quick',
  throughput: { rounds: 5, commands: 10_000 },
  latency: [
    { perSecond: 1, commands: 10 },
    { perSecond: 100, commands: 500 },
    { perSecond: 1000, commands: 5_000 },
  ],
  verification: { rounds: 3, milliseconds: 500 },
  revocations: 100,
}

export const FULL: Plan = {
  mode: 'full',
  throughput: { rounds: 9, commands: 20_000 },
  latency: [
    { perSecond: 1, commands: 60 },
    { perSecond: 100, commands: 3_000 },
    { perSecond: 1000, commands: 30_000 },
  ],
  verification: { rounds: 7, milliseconds: 1_000 },
  revocations: 1_000,
}
