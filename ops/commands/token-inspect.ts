/** `token inspect`: shows the contents of a token, offline. It verifies nothing, so the contents may be forged. */
import type { Command } from 'commander'
import { assert } from '../../shared/errors.ts'
import { tokenId } from '../../shared/ids.ts'
import { encodeBase64Url } from '../../shared/macaroon/base64url.ts'
import { decodeBundle } from '../../shared/macaroon/bundle.ts'
import { decodeIdentifier, type TokenReference } from '../../shared/macaroon/identifier.ts'
import type { Caveat } from '../../shared/macaroon/macaroon.ts'
import { nonceTimeMs } from '../../shared/macaroon/nonce.ts'
import { decodeUtf8 } from '../../shared/macaroon/utf8.ts'
import { earliestExpiry, withDate } from '../arguments/expiry.ts'
import { addHelp } from '../arguments/help.ts'
import { readToken } from '../arguments/standard-input.ts'
import { table, type Terminal } from '../terminal.ts'

/** Adds `token inspect`. It needs no key: a holder may look into a token, and forged contents look the same. */
export function addInspect(token: Command, terminal: Terminal): void {
  const command = token
    .command('inspect')
    .description('show the contents of a token from stdin, with or without discharges, offline; nothing is verified')
    .action(async () => {
      const inspection = inspect(await readToken(terminal))
      terminal.answer(inspection, linesOf(inspection))
    })
  addHelp(command, {
    examples: ['macaroond token inspect < token.txt'],
    json: [
      '{"id", "org": null, "subject", "issuedAt", "expiresAt", "ancestors": [<id>], "caveats": [<text>], "discharges": <count>, "verified": false}',
      'issuedAt and expiresAt are unix seconds; expiresAt is the earliest of the token’s own and of its `time` caveats, and of its discharges’; null for never',
      '"expiresBy": the caveat that lets it expire then, absent if it is the token’s own expiry',
      'org is always null: it belongs to the root key, and only a node of the cluster knows it',
      'a third-party caveat is {"thirdParty": <location>, "ticket": <base64url>}; a caveat that is not text is 0x and hex digits',
    ],
  })
}

/** A third-party caveat as JSON. `token exchange` takes the ticket. */
interface ThirdPartyCaveat {
  readonly thirdParty: string
  readonly ticket: string
}

/** The contents without the signature, which is enough to use the token. */
interface Inspection {
  readonly id: string
  readonly org: null
  readonly subject: string
  readonly issuedAt: number
  /** The earliest of the token's own expiry and its `time` caveats. */
  readonly expiresAt: number | null
  /** The caveat that lets it expire then; absent if it is the token's own expiry. */
  readonly expiresBy?: string
  readonly ancestors: readonly string[]
  readonly caveats: readonly (string | ThirdPartyCaveat)[]
  readonly discharges: number
  readonly verified: false
}

function inspect(text: string): Inspection {
  const [macaroon, ...discharges] = decodeBundle(text)
  assert(macaroon !== undefined, 'a bundle has a token')
  const { kid, nonce, subject, expiresAt, ancestors } = decodeIdentifier(macaroon.identifier)
  const caveats = macaroon.caveats.map(caveatOf)
  const texts = [...caveats, ...discharges.flatMap((one) => one.caveats.map(caveatOf))]
  const expiry = earliestExpiry(
    expiresAt,
    texts.filter((text) => typeof text === 'string'),
  )
  return {
    id: tokenId(kid, nonce),
    org: null,
    subject,
    issuedAt: Math.floor(nonceTimeMs(nonce) / 1000),
    expiresAt: expiry === undefined ? null : Math.floor(expiry.atMs / 1_000),
    ...(expiry?.caveat === undefined ? {} : { expiresBy: expiry.caveat }),
    ancestors: ancestors.map((ancestor: TokenReference) => tokenId(ancestor.kid, ancestor.nonce)),
    caveats,
    discharges: discharges.length,
    verified: false,
  }
}

function caveatOf({ cid, vid, location = '' }: Caveat): string | ThirdPartyCaveat {
  if (vid !== undefined) return { thirdParty: location, ticket: encodeBase64Url(cid) }
  return decodeUtf8(cid) ?? `0x${Buffer.from(cid).toString('hex')}`
}

function linesOf(inspection: Inspection): string[] {
  const { id, subject, issuedAt, expiresAt, expiresBy, ancestors, caveats, discharges } = inspection
  const by = expiresBy === undefined ? '' : `, by the caveat ${expiresBy}`
  return table([
    ['id', id],
    ['org', 'unknown (only a node of the cluster knows it)'],
    ['subject', subject],
    ['issued', timeText(issuedAt)],
    ['expires', expiresAt === null ? 'never' : `${timeText(expiresAt)}${by}`],
    ...ancestors.map((ancestor) => ['made from', ancestor]),
    ...caveats.map((caveat) => [
      'caveat',
      typeof caveat === 'string' ? withDate(caveat) : `discharge from ${caveat.thirdParty}`,
    ]),
    ...(discharges === 0 ? [] : [['discharges', String(discharges)]]),
  ])
}

/** A time from a token is not verified and may be out of the range of dates. Then it is printed as a number. */
function timeText(seconds: number): string {
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) ? `${seconds} (unix seconds)` : date.toISOString()
}
