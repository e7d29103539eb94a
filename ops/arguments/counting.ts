/**
 * Counts the tokens that a revocation applies to: for `--dry-run`, and as information before a real revocation. Both are calls
 * of their own: a revocation never counts, and a count never delays one by more than a second.
 */
import type { Command } from 'commander'
import type { CountTokensParams, Signer, TokensCounted } from '../../primary/signer/sdk.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { systemClock } from '../../shared/clock.ts'
import type { Terminal } from '../terminal.ts'

/** Revoking is urgent, and the count is only information: a count that takes longer is not printed. */
const COUNTING_MS_MAX = 1_000
/** Ids that a dry run shows. */
const FIRST_IDS = 5
/** Calls for the first ids. Each looks at a bounded number of records, and `token list` shows the rest. */
const PAGES_MAX = 5
const PAGE_ROWS = 1_000

/** The help lines about the JSON of `--dry-run`. */
export const DRY_RUN_JSON: readonly string[] = [
  'with --dry-run {"dryRun": true, "org", "subject", "issuedUpToMs", "kid", "tokens": {"count", "complete", "nearest", "lookAlikes", "first": [<id>]}}, and nothing is revoked',
]

export const DRY_RUN_OF_TOKEN_JSON =
  'with --dry-run and a token or an id {"dryRun": true, "id", "org", "subject", "recorded", "state", "made": [<id>], "more"}'

/** Adds `--dry-run`. */
export function addDryRun(command: Command): Command {
  return command.option('--dry-run', 'print how many tokens on record it would apply to, and the first of them')
}

type Counter = Pick<Signer, 'countTokens'>

/** Prints how many tokens the revocation will apply to, and warns if it may be a mistake. Gives up after a second. */
export async function countFirst(signer: Counter, asked: CountTokensParams, terminal: Terminal): Promise<void> {
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
export async function answerDryRun(
  signer: Counter & Pick<Signer, 'listTokens'>,
  asked: CountTokensParams,
  terminal: Terminal,
): Promise<void> {
  const [tokens, first] = await terminal.during('counting', () =>
    Promise.all([signer.countTokens(asked), firstIds(signer, asked)]),
  )
  warn(asked, tokens, terminal)
  const what = asked.subject ?? asked.kid ?? asked.org
  const line = `would apply to ${countText(tokens)} tokens on record of ${what}; nothing is revoked`
  terminal.answer({ dryRun: true, ...asked, tokens: { ...tokens, first } }, [line, ...idLines(asked, tokens, first)])
}

/** Answers `--dry-run` for one token: itself, and the first service tokens made from it. Throws the primary's error. */
export async function answerDryRunOfToken(
  signer: Pick<Signer, 'showToken' | 'tokensMadeFrom'>,
  id: string,
  terminal: Terminal,
): Promise<void> {
  const [shown, made] = await Promise.all([signer.showToken(id), signer.tokensMadeFrom({ id, limit: FIRST_IDS })])
  const { org, subject, recorded, state } = shown
  const more = made.next !== undefined
  if (!recorded) terminal.say(`warning: no token on record has this id; its key is of ${org}`)
  const ids = made.tokens.map(({ id: of }) => of)
  const whose = subject === null ? `of ${org}` : `for ${subject} of ${org}`
  const count = `${ids.length}${more ? ' or more' : ''} service token${ids.length === 1 && !more ? '' : 's'}`
  terminal.answer({ dryRun: true, id, org, subject, recorded, state, made: ids, more }, [
    `would revoke ${id} ${whose}, which is ${state.replaceAll('_', ' ')}, and ${count} made from it; nothing is revoked`,
    ...ids.map((of) => `  ${of}`),
    ...(more ? [`  \`macaroond token show ${id}\` shows all of them`] : []),
  ])
}

/** None from a primary that cannot list tokens, as one of 0.2.0. Throws other errors, such as org_unknown. */
async function firstIds(
  signer: Pick<Signer, 'listTokens'>,
  { org, subject, kid, issuedUpToMs = Infinity }: CountTokensParams,
): Promise<readonly string[]> {
  const ids: string[] = []
  const request = {
    org,
    ...(subject === undefined ? {} : { subject }),
    limit: kid === undefined ? FIRST_IDS : PAGE_ROWS,
  }
  try {
    for (let page = 0, after = ''; page < PAGES_MAX && ids.length < FIRST_IDS; page += 1) {
      const { tokens, next } = await signer.listTokens({ ...request, after })
      const applies = tokens.filter(({ issuedAtMs }) => issuedAtMs <= issuedUpToMs)
      ids.push(...applies.map(({ id }) => id).filter((id) => kid === undefined || id.startsWith(`${kid}.`)))
      if (next === undefined || applies.length < tokens.length) break
      after = next
    }
  } catch (error) {
    if (!(error instanceof MacaroondError) || error.code !== 'request_invalid') throw error
  }
  return ids.slice(0, FIRST_IDS)
}

function idLines(
  { org, subject }: CountTokensParams,
  { count, complete }: TokensCounted,
  first: readonly string[],
): readonly string[] {
  const whose = subject === undefined ? '' : ` --subject ${JSON.stringify(subject)}`
  const isAll = complete && count <= first.length
  return [
    ...first.map((id) => `  ${id}`),
    ...(isAll ? [] : [`  \`macaroond token list --org ${org}${whose}\` shows all of them`]),
  ]
}

/** A count is incomplete if the primary stopped counting at its limit of records; then it is a lower bound. */
function countText({ count, complete }: { readonly count: number; readonly complete: boolean }): string {
  return complete ? `${count}` : `at least ${count}`
}

/** Warns of a revocation that applies to nothing, and of subjects that look alike: a typing error would revoke nothing. */
function warn(asked: CountTokensParams, counted: TokensCounted, terminal: Terminal): void {
  const { count, complete, nearest, lookAlikes } = counted
  const list = (names: readonly string[]): string => names.map((name) => JSON.stringify(name)).join(', ')
  if (count === 0 && complete) terminal.say(`warning: no token on record of ${whatText(asked)}`)
  if (lookAlikes.length > 0) terminal.say(`warning: there are subjects that look like it: ${list(lookAlikes)}`)
  if (count === 0 && nearest.length > 0) terminal.say(`  did you mean ${list(nearest)}?`)
}

function whatText({ org, subject, kid, issuedUpToMs }: CountTokensParams): string {
  const whose = subject === undefined ? kid && `key ${kid}` : JSON.stringify(subject)
  const until = issuedUpToMs === undefined ? '' : `, issued up to ${new Date(issuedUpToMs).toISOString()}`
  return `${whose === undefined ? '' : `${whose} in `}${org}${until}`
}
