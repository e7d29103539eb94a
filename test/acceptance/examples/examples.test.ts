/** Runs the programs of ops/examples as a newcomer starts them: as real processes. Each story has to show its steps. */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { StoryStep } from '../../../ops/examples/shared/story.ts'

const FOLDER = join(import.meta.dirname, '../../../ops/examples')

interface RunResult {
  readonly status: number
  readonly steps: readonly StoryStep[]
  readonly stderr: string
}

function run(args: readonly string[]): Promise<RunResult> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(FOLDER, 'start.ts'), ...args], { timeout: 55_000 }, (error, stdout, stderr) => {
      const lines = stdout.split('\n').filter((line) => line.startsWith('{'))
      const status = error === null ? 0 : Number(error.code ?? -1)
      resolve({ status, stderr, steps: lines.map((line) => JSON.parse(line) as StoryStep) })
    })
  })
}

/** What a story must not leave out, in its order, whatever the program itself expects. */
const DECISIVE: Readonly<Record<string, readonly (readonly [string, string | RegExp])[]>> = {
  'hyperdex-store': [
    ['get without a macaroon', 'unauthorized'],
    ['get', 'balance 10'],
    ['add 5', 'balance 15'],
    ['get', 'balance 15'],
    ['add 5', 'unauthorized'],
    ['get at once', 'balance 15'],
    ['the token alone', 'unauthorized'],
    ['a wrong password gets', 'nothing'],
    ['an unknown identifier gets', 'nothing'],
    ['with the discharge, bound to it', 'balance 15'],
    ['get with the brief token', 'unauthorized'],
    ['get with the old discharge', 'unauthorized'],
  ],
  'vanadium-delegation': [
    ['Bob gets', 'value 0'],
    ['Bob adds', 'refused: op in Get'],
    ['Diane, with nothing, gets', /^refused/],
    ['Diane, with nothing, adds', /^refused/],
    ['Diane gets', 'value 1'],
    ['Diane adds', 'value 2'],
    ['the service hears from the token', 'guest of Carol'],
    ['Diane gets at once', 'value 2'],
    ['Diane adds', 'refused: op = Get'],
    ['Bob, who got hold of it, gets', /^refused: peer = 12D3Koo/],
    ['`token attenuate` without any', 'exit status 2'],
    ['Diane gets', 'refused: time < …'],
  ],
  'attenuated-delegation': [
    ['chunks that can be read', '100 299 300 500'],
    ['the forum adds chunk = 600', 'none'],
    ['the forum adds chunk in 300..900', '300 500'],
    ['user:email', 'allowed'],
    ['read:org', /^refused/],
    ['read:org, after the app grants it to itself', /^refused/],
    ['100,000 bytes', 'allowed'],
    ['one byte more', /^refused: size/],
    ['another method', /^refused: method/],
    ['after half a minute', /^refused: time/],
  ],
  'secret-store': [
    ['alone it reads', 'refused: discharge_missing'],
    ['acme’s secret on m1', 'the password of acme’s database'],
    ['globex’s secret', 'refused: tenant = acme'],
    ['the store’s log names the token', /^[0-9a-f]{16}\.[0-9a-f]{32}$/],
    ['it reads', 'refused: discharge_missing'],
    ['it earns', 'token_refused'],
    ['the last discharge, a minute later', 'refused: time < …'],
  ],
  'service-tokens': [
    ['without the login', 'refused: discharge_missing'],
    ['with Alice’s login', 'accepted'],
    ['on machine m1, without any login', 'accepted'],
    ['on machine m2', 'refused: machine = m1'],
    ['without a valid discharge', 'token_refused'],
    ['with a further third-party caveat it is', 'accepted'],
    ['but not exchanged', 'token_refused'],
    ['the service token, in every region', 'refused: revoked'],
  ],
}

/** Whether the wanted outcomes come in this order, with anything in between. */
function missing(steps: readonly StoryStep[], wanted: (typeof DECISIVE)[string]): readonly string[] {
  let at = 0
  return wanted.flatMap(([step, seen]) => {
    const fits = (told: StoryStep): boolean =>
      told.step === step && (typeof seen === 'string' ? told.seen === seen : seen.test(told.seen))
    const found = steps.findIndex((told, index) => index >= at && fits(told))
    if (found === -1) return [`${step}: ${String(seen)}`]
    at = found + 1
    return []
  })
}

describe('the examples', () => {
  test('are exactly the ones that this suite runs, and each has a README that says how to start it', () => {
    const folders = readdirSync(FOLDER, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    const names = folders.map(({ name }) => name).filter((name) => name !== 'shared')
    expect(names.toSorted()).toEqual(Object.keys(DECISIVE).toSorted())
    for (const name of names) {
      expect(readFileSync(join(FOLDER, name, 'README.md'), 'utf8')).toContain(`npm run -s example ${name}\n`)
    }
  })

  test.concurrent.each(Object.keys(DECISIVE))(
    '%s holds in every step, and shows what its story is about',
    async (name) => {
      const { status, steps, stderr } = await run([name, '--json'])
      expect(steps.filter(({ held }) => !held)).toEqual([])
      expect(missing(steps, DECISIVE[name] ?? [])).toEqual([])
      expect(status, stderr).toBe(0)
    },
  )

  test('an unknown example is refused with the list of the known ones', async () => {
    const { status, stderr } = await run(['nothing'])
    expect(status).toBe(2)
    expect(stderr).toContain('hyperdex-store')
  })
})
