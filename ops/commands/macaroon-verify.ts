/** `macaroon verify`: verifies any macaroon and its discharges offline, with the secret in a file. It knows no revocations. */
import type { Command } from 'commander'
import { systemClock } from '../../shared/clock.ts'
import { reportOf } from '../../shared/errors.ts'
import type { TextMacaroon } from '../../shared/macaroon/text-codec.ts'
import type { ClearedBundle } from '../../shared/verifier/clear.ts'
import type { CaveatTrace } from '../../shared/verifier/trace.ts'
import type { Refused } from '../../shared/verifier/verdict.ts'
import { explainWithKey, verifyWithKey } from '../../shared/verifier/with-key.ts'
import { OFFLINE_WORK } from '../../shared/verifier/work.ts'
import { addHelp } from '../arguments/help.ts'
import { mandatory, repeated } from '../arguments/options.ts'
import { EXIT_DENIED } from '../exit-status.ts'
import type { Terminal } from '../terminal.ts'
import { caveatLines } from './token-explanation.ts'
import { readKeyFile, readMacaroons } from './macaroon-input.ts'
import { offlineJudge } from './macaroon-judge.ts'

interface VerifyOptions {
  readonly keyFile: string
  readonly exact?: readonly string[]
  readonly access?: readonly string[]
  readonly explain?: boolean
}

/** Adds `macaroon verify`. It verifies with a secret in a file, so it is for keys that are not an authority's. */
export function addMacaroonVerify(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('verify')
    .description('verify a macaroon from stdin, followed by its discharges: one a line, or joined with ~')
  mandatory(command, '--key-file <file>', 'file with the secret that the macaroon was made from')
  command
    .option('--exact <predicate>', 'the exact text of a caveat that holds; may be given more than once', repeated)
    .option(
      '--access <key=value>',
      'the access, which caveats `key op value` are compared with; may be given more than once',
      repeated,
    )
    .option('--explain', 'print the outcome of every caveat and every discharge')
    .action(async ({ keyFile, exact = [], access = [], explain: explained }: VerifyOptions) => {
      // The options and the key come first: an error in them must not be reported as a malformed macaroon.
      const judge = offlineJudge({ exact, access, nowMs: systemClock.wallMs() })
      const secret = readKeyFile(keyFile)
      const bundle = await readOrReport(terminal)
      if (bundle === undefined) return
      const macaroons = bundle.map(({ macaroon }) => macaroon)
      const verification = { bundle: macaroons, rootKey: { secret }, judge, limits: OFFLINE_WORK }
      if (explained !== true) return answer(terminal, verifyWithKey(verification))
      const { result, caveats } = explainWithKey(verification)
      answer(terminal, result, caveats)
    })
  addHelp(command, {
    examples: [
      "macaroond macaroon verify --key-file root.key --exact 'account = 3735928559' < bundle.txt",
      'cat root.txt discharge.txt | macaroond macaroon verify --key-file root.key --access op=read --json',
    ],
    json: [
      'accepted: {"ok": true, "reason": null}',
      'refused:  {"ok": false, "reason", "message", "caveat"?, "wanted"?, "thirdParty"?}',
      'malformed: {"ok": false, "reason", "error": {"code", "message", "hint"?}}',
      'with --explain, accepted and refused also have "caveats": [{"caveat", "outcome", "wanted"?, "refusal"?, "thirdParty"?, "discharges"?}]',
      '`time` and `note` caveats are always understood, all others only through --exact and --access',
    ],
    exit: '0 accepted, 3 refused, 1 malformed or nothing on stdin',
  })
}

/** The bundle, or undefined after reporting an error in JSON: with `--json` every answer has `ok` and `reason`. */
async function readOrReport(terminal: Terminal): Promise<readonly TextMacaroon[] | undefined> {
  try {
    return await readMacaroons(terminal)
  } catch (error) {
    if (!terminal.json) throw error
    const report = reportOf(error)
    terminal.fail(error, { ok: false, reason: report.code })
    return undefined
  }
}

/** Prints the verdict. A refusal is an answer, not an error, and has an exit status of its own. */
function answer(terminal: Terminal, result: ClearedBundle | Refused, caveats?: readonly CaveatTrace[]): void {
  const explained = caveats === undefined ? {} : { caveats }
  const lines = (caveats ?? []).flatMap((one) => caveatLines(one))
  if (result.ok) return terminal.answer({ ok: true, reason: null, ...explained }, ['accepted', ...lines])
  const { reason, message, caveat } = result
  terminal.status = EXIT_DENIED
  const named = caveat === undefined ? '' : `: ${caveat}`
  terminal.answer({ ...result, ...explained }, [`refused (${reason}): ${message}${named}`, ...lines])
}
