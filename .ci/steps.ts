/** The steps of the check, in the order they run. All limits together stay under 45 minutes, which a run on a quiet machine needs half of. */

const SECOND_MS = 1_000

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
  check('lint:package', [], 60 * SECOND_MS),
  suite('test', 285 * SECOND_MS),
  suite('test:acceptance', 190 * SECOND_MS),
  suite('test:recovery', 220 * SECOND_MS),
  suite('test:interop', 150 * SECOND_MS),
  suite('test:fuzz', 80 * SECOND_MS),
  suite('test:upgrade', 150 * SECOND_MS),
  suite('test:chaos', 640 * SECOND_MS),
  suite('test:partition', 320 * SECOND_MS),
  suite('test:rims', 150 * SECOND_MS),
  check('simulate', ['--scenarios', '--twice'], 40 * SECOND_MS),
  check('simulate', ['--seeds', '80', '--steps', '18', '--twice'], 100 * SECOND_MS),
  check('bench', ['--quick', ...BENCHED.flatMap((section) => ['--only', section])], 150 * SECOND_MS),
]
