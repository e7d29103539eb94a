/** `token inspect`: shows the contents of a token, offline. It verifies nothing, so the contents may be forged. */
import type { Command } from 'commander'
import { decodeBundle } from '../../shared/macaroon/bundle.ts'
import { contentsOf, type TokenContents } from '../../shared/macaroon/contents.ts'
import { withDate } from '../arguments/expiry.ts'
import { addHelp } from '../arguments/help.ts'
import { readToken } from '../arguments/standard-input.ts'
import { table, type Terminal } from '../terminal.ts'

/** Adds `token inspect`. It needs no key: a holder may look into a token, and forged contents look the same. */
export function addInspect(token: Command, terminal: Terminal): void {
  const command = token
    .command('inspect')
    .description('show the contents of a token from stdin, with or without discharges, offline; nothing is verified')
    .action(async () => {
      const contents = contentsOf(decodeBundle(await readToken(terminal)))
      terminal.answer(contents, linesOf(contents))
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

function linesOf(contents: TokenContents): string[] {
  const { id, subject, issuedAt, expiresAt, expiresBy, ancestors, caveats, discharges } = contents
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
