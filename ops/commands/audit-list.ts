/** `audit list`: the records of the audit, oldest first, from the primary or from the copy of a replica. */
import type { Command } from 'commander'
import { unlessOlder } from '../../shared/channel/older-node.ts'
import { systemClock } from '../../shared/clock.ts'
import type { Profile, ProfileNode } from '../../shared/config/profile.ts'
import { MacaroondError } from '../../shared/errors.ts'
import {
  type AuditListParams,
  auditListResult,
  type AuditListResult,
  type AuditRecord,
} from '../../shared/protocol/audit.ts'
import type { AdminCall } from '../admin.ts'
import { addHelp } from '../arguments/help.ts'
import { addUtc, MOMENT_FORMS, type MomentOptions, readPastMoment } from '../arguments/moments.ts'
import { addPaging, type Paging, type PagingOptions, pagingOf } from '../arguments/paging.ts'
import { adminOf, profileOf, replicasIn } from '../clients.ts'
import { columns, type Entry, type Pages, printEntries, printPages } from '../pages.ts'
import type { Terminal } from '../terminal.ts'

interface Options extends PagingOptions, MomentOptions {
  readonly since?: string
  readonly actor?: string
  readonly org?: string
  readonly kind?: string
  readonly region?: string
  readonly follow?: true
}

type Filter = Omit<AuditListParams, 'after'>

/** Time between two questions for newer records. */
const FOLLOW_MS = 1_000

const WIDTHS = [7, 24, 20, 10, 49]
const HEADER = ['SEQ', 'AT', 'KIND', 'ORG', 'TARGET', 'BY, AND DETAIL']
/** A narrower terminal would break a line inside an id, so each record gets several lines there. */
const WIDE_COLUMNS = 180

/** Adds `audit list`. */
export function addAuditList(audit: Command, terminal: Terminal): void {
  const command = audit
    .command('list')
    .description('list the record of every operation, oldest first')
    .option('--since <time>', `only records of this time or later: ${MOMENT_FORMS}`)
    .option('--actor <actor>', 'only records of this caller: its name or its PeerId')
    .option('--org <org>', 'only records about this org')
    .option('--kind <kind>', 'only records of this kind, for example token.mint or token.revoke')
    .option('--region <region>', 'ask a replica of this region for its copy, and not the primary')
    .option('--follow', 'go on until Ctrl-C, with each new record as it is written')
  addUtc(addPaging(command, 'record')).action(async (options: Options, own: Command) => {
    const filter = filterOf(options, terminal)
    const paging = pagingOf(options)
    if (options.follow === true && options.limit !== undefined)
      throw new MacaroondError('usage', '--limit does not go with --follow', { hint: 'end it with Ctrl-C' })
    const profile = profileOf(own, terminal.env)
    const { name, node } = nodeOf(profile, options.region)
    await adminOf(profile)(node, async (call) => {
      const reader = new AuditReader(call, name, filter)
      if (options.follow === true) return follow(reader, paging.after, terminal)
      const header = isWide(terminal) ? columns(HEADER, WIDTHS) : undefined
      await printPages(terminal, { name: 'records', header }, pagesOf(reader, paging, terminal))
    })
  })
  addHelp(command, {
    examples: [
      'macaroond audit list --since 2026-11-01T00:00:00Z --org acme',
      'macaroond audit list --actor login --kind token.revoke --json',
      'macaroond audit list --follow',
    ],
    json: [
      '{"records": [{"seq", "atMs", "actor", "kind", "org", "target", "detail": {…}}], "through", "next"?}',
      'atMs is in unix milliseconds; actor is a name and a PeerId; through: the last record that was looked at',
      'next is present when --limit left some out: give it as --after to continue',
      'with --follow one document a line, a record each',
    ],
  })
}

/** Throws usage. */
function filterOf({ since, utc, actor, org, kind }: Options, terminal: Terminal): Filter {
  return {
    ...(since === undefined ? {} : { sinceMs: readPastMoment('--since', since, { ...(utc && { utc }) }, terminal) }),
    ...(actor === undefined ? {} : { actor }),
    ...(org === undefined ? {} : { org }),
    ...(kind === undefined ? {} : { kind }),
  }
}

/** Throws usage. */
function nodeOf(profile: Profile, region: string | undefined): { readonly name: string; readonly node: ProfileNode } {
  if (region === undefined) return { name: 'the primary', node: profile.primary }
  const [node] = replicasIn(profile, region)
  return { name: `the replica in ${region}`, node: node ?? profile.primary }
}

class AuditReader {
  readonly #call: AdminCall
  readonly #name: string
  readonly #filter: Filter

  constructor(call: AdminCall, name: string, filter: Filter) {
    this.#call = call
    this.#name = name
    this.#filter = filter
  }

  /** One page. Throws the node's error, and protocol_violation for an answer that is none or makes no progress. */
  async read(after: number): Promise<AuditListResult> {
    const params = { ...this.#filter, after }
    const answer = await unlessOlder(this.#name, 'audit.list', () => this.#call('audit.list', params))
    const page = auditListResult.safeParse(answer)
    if (page.success && (page.data.done || page.data.through > after)) return page.data
    throw new MacaroondError('protocol_violation', `the answer of ${this.#name} is not a page of its audit`, {
      hint: 'run the macaroond that the node runs, or a newer one',
    })
  }
}

async function* pagesOf(reader: AuditReader, { after, limit }: Paging, terminal: Terminal): Pages {
  for (let from = after, left = limit; ;) {
    const { records, through, done } = await reader.read(from)
    const wanted = records.slice(0, left)
    if (!done && wanted.length === 0) terminal.progress(`looked at ${through} records`)
    yield wanted.map((record) => entryOf(record, terminal))
    left -= wanted.length
    if (wanted.length < records.length || (left === 0 && !done)) {
      const last = wanted.length < records.length ? (wanted.at(-1)?.seq ?? from) : through
      if (!terminal.json) terminal.say(`there may be more: continue with --after ${last}`)
      return { through: last, next: last }
    }
    if (done) {
      if (!terminal.json) terminal.say(`looked at all records up to ${through}`)
      return { through }
    }
    from = through
  }
}

/** Ends when nobody reads the records any more, or with the error of a connection that is lost. */
async function follow(reader: AuditReader, after: number, terminal: Terminal): Promise<void> {
  for (let from = after; ;) {
    const { records, through, done } = await reader.read(from)
    if (
      !(await printEntries(
        terminal,
        records.map((record) => entryOf(record, terminal)),
      ))
    )
      return
    from = through
    if (done) await new Promise<void>((resolve) => void systemClock.after(FOLLOW_MS, resolve))
  }
}

function isWide(terminal: Terminal): boolean {
  return (terminal.columns ?? Infinity) >= WIDE_COLUMNS
}

function entryOf(record: AuditRecord, terminal: Terminal): Entry {
  const { seq, atMs, actor, kind, org, target } = record
  const detail = detailOf(record)
  const document = { ...record, detail }
  const at = new Date(atMs).toISOString()
  const texts = Object.entries(detail).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  if (isWide(terminal)) {
    const cells = [String(seq), at, kind, org, target, [actor, ...texts].join(' ')]
    return { document, lines: [columns(cells, WIDTHS)] }
  }
  const lines = [
    `${seq} ${kind}${org === '' ? '' : ` of ${org}`}, at ${at}`,
    ...(target === '' ? [] : [`  ${target}`]),
    `  by ${actor}`,
    ...(texts.length === 0 ? [] : [`  ${texts.join(' ')}`]),
  ]
  return { document, lines }
}

/** The text of a database that somebody changed may be no JSON; it is shown all the same. */
function detailOf({ detail }: AuditRecord): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(detail)
    if (typeof parsed === 'object' && parsed !== null) return parsed as Record<string, unknown>
  } catch {
    // Shown as text below.
  }
  return { text: detail }
}
