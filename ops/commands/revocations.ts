/** `macaroond revocations`: the commands that show revocations or decide about those of an undone history. */
import type { Command } from 'commander'
import type { RevocationDescription, Signer } from '../../primary/signer/sdk.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { addHelp } from '../arguments/help.ts'
import { type PagingOptions, pagingOf } from '../arguments/paging.ts'
import { addAdopt, addForget, addPending } from './revocations-pending.ts'
import { addShow, namedText } from './revocations-show.ts'
import { profileOf, withSigner } from '../clients.ts'
import { timeText } from '../restore/describe.ts'
import { columns, type Entry, type Pages, printPages } from '../pages.ts'
import type { Terminal } from '../terminal.ts'

/** The options of `revocations list`, as texts. */
interface ListOptions extends PagingOptions {
  readonly org?: string
}

/** Rows in one call. A call that read all would take its time from other callers. */
const PAGE_ROWS = 1_000

const WIDTHS = [6, 24, 12, 10, 49, 61]
const HEADER = ['SEQ', 'AT', 'KIND', 'ORG', 'WHAT', 'BY', 'REASON']
/** A narrower terminal would break a line inside an id, so each revocation gets several lines there. */
const WIDE_COLUMNS = 180

export function addRevocations(parent: Command, terminal: Terminal): void {
  const revocations = parent
    .command('revocations')
    .description('list and show revocations, and decide about those that a restore left over')
  addList(revocations, terminal)
  addShow(revocations, terminal)
  addPending(revocations, terminal)
  addAdopt(revocations, terminal)
  addForget(revocations, terminal)
}

function addList(revocations: Command, terminal: Terminal): void {
  const command = revocations
    .command('list')
    .description('list revocations in the order in which they were made')
    .option('--org <org>', 'only those of this org')
    .option('--after <seq>', 'only those with a higher number', '0')
    .option('--limit <count>', 'at most this many (default: all)')
    .action(async ({ org, ...paging }: ListOptions, own: Command) => {
      const wanted = { org, ...pagingOf(paging) }
      const header = isWide(terminal) ? columns(HEADER, WIDTHS) : undefined
      await withSigner(profileOf(own, terminal.env), (signer) =>
        printPages(terminal, { name: 'revocations', header }, pagesOf(signer, wanted, terminal)),
      )
    })
  addHelp(command, {
    examples: ['macaroond revocations list --org acme', 'macaroond revocations list --after 120 --limit 50 --json'],
    json: [
      '{"revocations": [{"seq", "kind", "org", "id"?, "subject"?, "issuedUpToMs"?, "kid"?, "atMs", "expiresAt", "actor", "reason"}], "next"?}',
      'kind is token (with id), subject (subject, issuedUpToMs), org (issuedUpToMs), key (kid) or org_disabled',
      'issuedUpToMs: tokens issued up to this time are revoked',
      'atMs is in unix milliseconds, expiresAt (of the token) in unix seconds, 0 for never or unknown',
      'next is present when --limit left some out: give it as --after to continue',
    ],
  })
}

/** The checked options. */
interface ListQuery {
  readonly org: string | undefined
  readonly after: number
  readonly limit: number
}

/** Reads pages until `limit` is reached or there are no more. Throws protocol_violation if the primary makes no progress. */
async function* pagesOf(signer: Signer, { org, after, limit }: ListQuery, terminal: Terminal): Pages {
  for (let from = after, left = limit; ;) {
    const { revocations, next } = await signer.listRevocations({
      after: from,
      limit: Math.min(PAGE_ROWS, left),
      ...(org === undefined ? {} : { org }),
    })
    yield revocations.map((one) => entryOf(one, terminal))
    left -= revocations.length
    if (next === undefined) return {}
    if (left <= 0) {
      if (!terminal.json) terminal.say(`there are more: continue with --after ${next}`)
      return { next }
    }
    if (next <= from) throw new MacaroondError('protocol_violation', 'the primary makes no progress in its list')
    from = next
  }
}

function isWide(terminal: Terminal): boolean {
  return (terminal.columns ?? Infinity) >= WIDE_COLUMNS
}

function entryOf(one: RevocationDescription, terminal: Terminal): Entry {
  const { seq, kind, org, atMs, actor, reason } = one
  const [at, what] = [timeText(atMs), namedText(one)]
  if (isWide(terminal)) {
    return { document: one, lines: [columns([String(seq), at, kind, org, what, actor, reason], WIDTHS)] }
  }
  const lines = [
    `${seq} ${kind} of ${org}, at ${at}`,
    ...(what === '' ? [] : [`  ${what}`]),
    `  by ${actor}`,
    ...(reason === '' ? [] : [`  ${reason}`]),
  ]
  return { document: one, lines }
}
