/**
 * Counts the tokens that a revocation applies to: for `--dry-run`, and as information before a real revocation. Counting
 * never delays a revocation by more than a second.
 */
import type { Command } from 'commander'
import type { CountTokensParams, Signer, TokensCounted } from '../../primary/signer/sdk.ts'
import { systemClock } from '../../shared/clock.ts'
import type { Terminal } from '../terminal.ts'

/** Revoking is urgent, and the count is only information: a count that takes longer is not printed. */
const COUNTING_MS_MAX = 1_000

/** The help line about the JSON of `--dry-run`. */
export const DRY_RUN_JSON =
  'with --dry-run {"dryRun": true, "org", "subject", "issuedUpToMs", "kid", "tokens": {"count", "complete", "nearest", "lookAlikes"}}, and nothing is revoked'

/** Adds `--dry-run`. Only commands that revoke many tokens have it, because a single token needs no count. */
export function addDryRun(command: Command): Command {
  return command.option('--dry-run', 'print how many tokens on record it would apply to, and revoke nothing')
}

/** Prints how many tokens the revocation will apply to, and warns if the subject may be a mistake. Gives up after a second. */
export async function countFirst(signer: Signer, asked: CountTokensParams, terminal: Terminal): Promise<void> {
  const late = Promise.withResolvers<undefined>()
  const callOff = systemClock.after(COUNTING_MS_MAX, () => late.resolve(undefined))
  // An error of the count must not prevent the revocation, so it counts as no answer.
  const counted = await Promise.race([signer.countTokens(asked).catch(() => undefined), late.promise])
  callOff()
  if (counted === undefined) return
  warn(asked, counted, terminal)
  if (!terminal.json) terminal.say(`tokens on record that it applies to: ${countText(counted)}`)
}

/** Answers `--dry-run`. Throws the primary's error if it cannot count. */
export async function answerDryRun(signer: Signer, asked: CountTokensParams, terminal: Terminal): Promise<void> {
  const tokens = await signer.countTokens(asked)
  warn(asked, tokens, terminal)
  const what = asked.subject ?? asked.kid ?? asked.org
  const line = `would apply to ${countText(tokens)} tokens on record of ${what}; nothing is revoked`
  terminal.answer({ dryRun: true, ...asked, tokens }, line)
}

/** A count is incomplete if the primary stopped counting at its limit of records; then it is a lower bound. */
function countText({ count, complete }: { readonly count: number; readonly complete: boolean }): string {
  return complete ? `${count}` : `at least ${count}`
}

/** Warns of a subject that no token has, and of subjects that look alike, because a typing error would revoke nothing. */
function warn({ org, subject }: CountTokensParams, counted: TokensCounted, terminal: Terminal): void {
  if (subject === undefined) return
  const { count, nearest, lookAlikes } = counted
  const list = (names: readonly string[]): string => names.map((name) => JSON.stringify(name)).join(', ')
  if (count === 0) terminal.say(`warning: no token on record of ${JSON.stringify(subject)} in ${org}`)
  if (lookAlikes.length > 0) terminal.say(`warning: there are subjects that look like it: ${list(lookAlikes)}`)
  if (count === 0 && nearest.length > 0) terminal.say(`  did you mean ${list(nearest)}?`)
}
