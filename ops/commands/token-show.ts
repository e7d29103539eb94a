/** `token show`: what is on record of one token, what was made from it, and the revocations that apply to it. */
import type { Command } from 'commander'
import type { MadeToken, ShownRevocation, ShowTokenResult, Signer } from '../../primary/signer/sdk.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { parseTokenId } from '../../shared/ids.ts'
import { addHelp } from '../arguments/help.ts'
import { addTokenPaging, type Paging, type PagingOptions, tokenPagingOf } from '../arguments/paging.ts'
import { checkTokenArgument, idOfInput } from '../arguments/standard-input.ts'
import { shortTimeText } from '../arguments/times.ts'
import { profileOf, withSigner } from '../clients.ts'
import { EXIT_FAILED } from '../exit-status.ts'
import type { Terminal } from '../terminal.ts'
import { revocationLines } from './revocations-show.ts'

/** Service tokens that one command shows, unless `--limit` says another number. */
const MADE_SHOWN = 100
const PAGE_ROWS = 1_000
/** A token id has 49 characters. */
const ID_CHARS_MAX = 64

interface Made {
  readonly tokens: readonly MadeToken[]
  /** `--after` to continue. */
  readonly next?: string
}

interface Shown extends ShowTokenResult {
  readonly made: Made
  readonly revocations: readonly ShownRevocation[]
  readonly moreRevocations: boolean
}

/** Adds `token show`. A token without a record fails, so that a script notices a wrong id. */
export function addShowToken(token: Command, terminal: Terminal): void {
  const command = token
    .command('show')
    .description('show what is on record of a token: who issued it, what was made from it, and where it is revoked')
    .argument('<id>', 'the id of the token, <kid>.<nonce>; or - for the token itself, which comes from stdin')
  addTokenPaging(command).action(async (text: string, paging: PagingOptions, own: Command) => {
    const { after, limit } = tokenPagingOf({ ...paging, limit: paging.limit ?? String(MADE_SHOWN) })
    checkId(text)
    const profile = profileOf(own, terminal.env)
    const id = text === '-' ? await idOfInput(terminal) : text
    const shown = await withSigner(profile, (signer) => show(signer, id, { after, limit }))
    if (!shown.recorded) terminal.status = EXIT_FAILED
    terminal.answer(shown, linesOf(shown))
    if (!terminal.json && shown.made.next !== undefined)
      terminal.say(`there may be more tokens made from it: continue with --after ${shown.made.next}`)
  })
  addHelp(command, {
    examples: ['macaroond token show 3f0c….0199…', 'macaroond token show - < token.txt'],
    json: [
      '{"id", "org", "issuedAtMs", "recorded", "subject", "expiresAt", "state", "why", "ancestors": [<id>], "issued": {"kind", "by", "atMs"} | null, "made": {"tokens": [{"id", "atMs", "stripped"}], "next"?}, "revocations": [{…as in `revocations show`…}], "moreRevocations"}',
      'state is live, expired, revoked, key_retired or org_disabled; why says it in words, null for live',
      'recorded: false without a record of its mint; then subject and expiresAt are null',
      'issued: the audit record of the mint (token.mint) or of the exchange (token.exchange)',
      'made.tokens: service tokens made from it; made.next is present when some were left out: give it as --after',
    ],
    exit: '1 when there is no record of its mint',
  })
}

/** A token that was given by mistake is not repeated in the error. Throws usage, request_invalid. */
function checkId(text: string): void {
  if (text === '-') return
  if (text.length > ID_CHARS_MAX) checkTokenArgument(text, 'token show -')
  parseTokenId(text)
}

async function show(signer: Signer, id: string, paging: Paging<string>): Promise<Shown> {
  const shown = await signer.showToken(id)
  const [made, { revocations, more }] = await Promise.all([
    madeFrom(signer, id, paging),
    signer.showRevocations({ id }),
  ])
  return { ...shown, made, revocations, moreRevocations: more }
}

/** Reads pages until `limit` is reached or there are no more. Throws protocol_violation if the primary makes no progress. */
async function madeFrom(signer: Signer, id: string, { after, limit }: Paging<string>): Promise<Made> {
  const tokens: MadeToken[] = []
  for (let from = after; ;) {
    const page = await signer.tokensMadeFrom({ id, after: from, limit: Math.min(PAGE_ROWS, limit - tokens.length) })
    tokens.push(...page.tokens)
    if (page.next === undefined) return { tokens }
    if (tokens.length >= limit) return { tokens, next: page.next }
    if (page.next <= from) throw new MacaroondError('protocol_violation', 'the primary makes no progress in its list')
    from = page.next
  }
}

function linesOf(shown: Shown): readonly string[] {
  const { id, state, why, ancestors, made, revocations } = shown
  return [
    `${id}: ${why ?? state}`,
    ...recordLines(shown),
    ...ancestors.map((ancestor) => `  made from ${ancestor}`),
    made.tokens.length === 0 ? '  no token on record was made from it' : '  made from it:',
    ...made.tokens.flatMap(({ id: of, atMs, stripped }) => [
      `    ${of}`,
      `      at ${shortTimeText(atMs)}, without ${stripped === '' ? 'its login' : stripped}`,
    ]),
    ...(revocations.length === 0 ? ['  no revocation applies to it'] : revocations.flatMap(revocationLines)),
    ...(shown.moreRevocations ? ['  there are more: `macaroond revocations list` shows all'] : []),
  ]
}

function recordLines({ org, subject, issuedAtMs, expiresAt, recorded, issued }: Shown): readonly string[] {
  const at = shortTimeText(issuedAtMs)
  if (!recorded) return [`  of ${org}; there is no record of its mint. Its id says that it was issued at ${at}`]
  const how = issued?.kind === 'token.exchange' ? 'exchanged' : 'minted'
  return [
    `  of ${org} for ${subject}`,
    `  issued ${at}, ${expiresAt === 0 || expiresAt === null ? 'never expires' : `expires ${shortTimeText(expiresAt * 1000)}`}`,
    ...(issued === null ? [] : [`  ${how} by ${issued.by}`]),
  ]
}
