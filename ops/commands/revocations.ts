/** `macaroond revocations`: the commands that show revocations or decide about those of an undone history. */
import type { Command } from 'commander'
import type { RevocationDescription, RevocationsResult, Signer } from '../../primary/signer/sdk.ts'
import { addHelp } from '../arguments/help.ts'
import { type PagingOptions, pagingOf } from '../arguments/paging.ts'
import { addAdopt, addForget, addPending } from './revocations-pending.ts'
import { addShow, namedText } from './revocations-show.ts'
import { profileOf, withSigner } from '../clients.ts'
import { timeText } from '../restore/describe.ts'
import { table, type Terminal } from '../terminal.ts'

/** The options of `revocations list`, as texts. */
interface ListOptions extends PagingOptions {
  readonly org?: string
}

/** Rows in one call. A call that read all would take its time from other callers. */
const PAGE_ROWS = 1_000

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
      const listed = await withSigner(profileOf(own, terminal.env), (signer) => collect(signer, wanted))
      terminal.answer(listed, linesOf(listed.revocations))
      if (!terminal.json && listed.next !== undefined)
        terminal.say(`there are more: continue with --after ${listed.next}`)
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

/** Reads pages until `limit` is reached or there are no more. */
async function collect(signer: Signer, { org, after, limit }: ListQuery): Promise<RevocationsResult> {
  const revocations: RevocationDescription[] = []
  let next: number | undefined = after
  while (next !== undefined && revocations.length < limit) {
    const page: RevocationsResult = await signer.listRevocations({
      after: next,
      limit: Math.min(PAGE_ROWS, limit - revocations.length),
      ...(org === undefined ? {} : { org }),
    })
    revocations.push(...page.revocations)
    next = page.next
  }
  return next === undefined ? { revocations } : { revocations, next }
}

function linesOf(revocations: readonly RevocationDescription[]): string[] {
  if (revocations.length === 0) return []
  const rows = revocations.map((one) => {
    const { seq, kind, org, atMs, actor, reason } = one
    return [String(seq), timeText(atMs), kind, org, namedText(one), actor, reason]
  })
  return table([['SEQ', 'AT', 'KIND', 'ORG', 'WHAT', 'BY', 'REASON'], ...rows])
}
