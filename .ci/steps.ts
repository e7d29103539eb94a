/** The steps of the check, in the order they run. All limits together stay under 30 minutes. */

const SECOND_MS = 1_000
const MINUTE_MS = 60_000

export interface Step {
  /** A script of package.json. */
  readonly script: string
  readonly args: readonly string[]
  /** `suite`: vitest counts its tests. `check`: passes or fails as one. */
  readonly kind: 'suite' | 'check'
  readonly timeoutMs: number
}

const check = (script: string, args: readonly string[] = [], timeoutMs: number = 40 * SECOND_MS): Step => ({
  script,
  args,
  kind: 'check',
  timeoutMs,
})

const suite = (script: string, timeoutMs: number): Step => ({ script, args: [], kind: 'suite', timeoutMs })

/** The others (latency, channel, propagation, archiving, restore) need a quiet machine, or minutes, to say anything. */
const BENCHED = ['throughput', 'revocation', 'cached', 'verifier', 'macaroons', 'memory', 'fleet'] as const

/** `CI=1` is set: the longer suites bound themselves by it. */
export const STEPS: readonly Step[] = [
  check('typecheck'),
  check('lint'),
  check('format:check'),
  check('knip'),
  check('lint:package', [], MINUTE_MS),
  suite('test', 200 * SECOND_MS),
  suite('test:acceptance', MINUTE_MS),
  suite('test:recovery', 105 * SECOND_MS),
  suite('test:interop', 120 * SECOND_MS),
  suite('test:fuzz', 90 * SECOND_MS),
  suite('test:upgrade', 90 * SECOND_MS),
  suite('test:chaos', 340 * SECOND_MS),
  suite('test:partition', 300 * SECOND_MS),
  check('simulate', ['--scenarios', '--twice'], 20 * SECOND_MS),
  check('simulate', ['--seeds', '80', '--steps', '18', '--twice'], MINUTE_MS),
  check('bench', ['--quick', ...BENCHED.flatMap((section) => ['--only', section])], 130 * SECOND_MS),
]
