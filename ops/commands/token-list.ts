/** `token list`: the tokens of an org from the records of mints, oldest first, with the state of each. */
import type { Command } from 'commander'
import type { ListedToken, ListTokensRequest, Signer } from '../../primary/signer/sdk.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { Nonce } from '../../shared/ids.ts'
import { nonceTimeMs } from '../../shared/macaroon/nonce.ts'
import { addHelp } from '../arguments/help.ts'
import { addUtc, MOMENT_FORMS, type MomentOptions, readPastMoment } from '../arguments/moments.ts'
import { mandatory } from '../arguments/options.ts'
import { addTokenPaging, type Paging, type PagingOptions, tokenPagingOf } from '../arguments/paging.ts'
import { shortTimeText } from '../arguments/times.ts'
import { profileOf, withSigner } from '../clients.ts'
import { columns, type Entry, type Pages, printPages } from '../pages.ts'
import type { Terminal } from '../terminal.ts'

interface Options extends PagingOptions, MomentOptions {
  readonly org: string
  readonly subject?: string
  readonly since?: string
  readonly live?: true
}

/** Rows in one call. A call that read all would take its time from other callers. */
const PAGE_ROWS = 1_000

const WIDTHS = [49, 12, 24, 20]
const HEADER = ['ID', 'STATE', 'ISSUED', 'EXPIRES', 'SUBJECT']
/** A narrower terminal would break a line inside an id, so each token gets several lines there. */
const WIDE_COLUMNS = 130

/** Adds `token list`. */
export function addList(token: Command, terminal: Terminal): void {
  const command = token.command('list').description('list the tokens of an org that are on record, oldest first')
  mandatory(command, '--org <org>', 'the org that they were issued for')
  command
    .option('--subject <subject>', 'only those of this subject')
    .option('--since <time>', `only those issued at this time or later: ${MOMENT_FORMS}`)
    .option('--live', 'only those that have not expired and that no revocation applies to')
  addUtc(addTokenPaging(command)).action(
    async ({ org, subject, since, live, utc, ...paging }: Options, own: Command) => {
      const request = {
        org,
        ...(subject === undefined ? {} : { subject }),
        ...(since === undefined
          ? {}
          : { sinceMs: readPastMoment('--since', since, { ...(utc && { utc }) }, terminal) }),
        ...(live === undefined ? {} : { live }),
      }
      const { after, limit } = tokenPagingOf(paging)
      const isWide = (terminal.columns ?? Infinity) >= WIDE_COLUMNS
      const shape = { name: 'tokens', header: isWide ? columns(HEADER, WIDTHS) : undefined }
      await withSigner(profileOf(own, terminal.env), (signer) =>
        printPages(terminal, shape, new Listing(signer, request, terminal).pages({ after, limit })),
      )
    },
  )
  addHelp(command, {
    examples: [
      'macaroond token list --org acme --live',
      'macaroond token list --org acme --subject alice --since 2026-11-01T00:00:00Z --json',
    ],
    json: [
      '{"tokens": [{"id", "subject", "issuedAtMs", "expiresAt", "state", "ancestors"?: [<id>]}], "lookedUpToMs"?, "next"?}',
      'state is live, expired, revoked, key_retired or org_disabled; caveats do not count, because they are not on record',
      'issuedAtMs is in unix milliseconds, expiresAt in unix seconds, 0 for never; ancestors: only of a service token',
      'next is present when --limit left some out: give it as --after to continue; lookedUpToMs is the time of issue up to there',
    ],
  })
}

class Listing {
  readonly #signer: Pick<Signer, 'listTokens'>
  readonly #request: ListTokensRequest
  readonly #terminal: Terminal

  constructor(signer: Pick<Signer, 'listTokens'>, request: ListTokensRequest, terminal: Terminal) {
    this.#signer = signer
    this.#request = request
    this.#terminal = terminal
  }

  /** Throws the primary's error, and protocol_violation if it makes no progress. */
  async *pages({ after, limit }: Paging<string>): Pages {
    for (let from = after, left = limit; ;) {
      const { tokens, next } = await this.#signer.listTokens({
        ...this.#request,
        after: from,
        limit: Math.min(PAGE_ROWS, left),
      })
      left -= tokens.length
      const isLast = next === undefined || left <= 0
      if (!isLast && tokens.length === 0) this.#terminal.progress(`looked up to ${shortTimeText(timeOf(next))}`)
      yield tokens.map((token) => this.#entryOf(token))
      if (isLast) return this.#end(next)
      if (next <= from) throw new MacaroondError('protocol_violation', 'the primary makes no progress in its list')
      from = next
    }
  }

  #end(next: string | undefined): object {
    if (next === undefined) {
      if (!this.#terminal.json) this.#terminal.say('looked at all records')
      return {}
    }
    const lookedUpToMs = timeOf(next)
    if (!this.#terminal.json)
      this.#terminal.say(
        `looked up to ${shortTimeText(lookedUpToMs)}; there may be more: continue with --after ${next}`,
      )
    return { lookedUpToMs, next }
  }

  #entryOf(token: ListedToken): Entry {
    const { id, state, issuedAtMs, expiresAt, subject } = token
    const issued = new Date(issuedAtMs).toISOString()
    const expires = expiresAt === 0 ? 'never' : shortTimeText(expiresAt * 1000)
    if ((this.#terminal.columns ?? Infinity) >= WIDE_COLUMNS)
      return { document: token, lines: [columns([id, state, issued, expires, subject], WIDTHS)] }
    const lines = [`${id}  ${state}`, `  issued ${issued}, expires ${expires}`, `  for ${subject}`]
    return { document: token, lines }
  }
}

/** A place begins with a time of issue, as a nonce does. */
function timeOf(place: string): number {
  return nonceTimeMs(place as Nonce)
}
