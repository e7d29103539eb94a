/** When a macaroon expires in fact, as text; and times in caveats as dates. */
import { earliestExpiry, type Expiry } from '../../shared/macaroon/expiry.ts'
import { decodeIdentifier } from '../../shared/macaroon/identifier.ts'
import type { Macaroon } from '../../shared/macaroon/macaroon.ts'
import { decodeUtf8 } from '../../shared/macaroon/utf8.ts'
import { timeText } from '../restore/describe.ts'
import { shortTimeText } from './times.ts'

/** The earliest expiry of a macaroon. One of another program has no expiry of its own. */
export function expiryOf({ identifier, caveats }: Macaroon): Expiry | undefined {
  const texts = caveats.flatMap(({ cid, vid }) => (vid === undefined ? [decodeUtf8(cid) ?? ''] : []))
  return earliestExpiry(ownExpiry(identifier), texts)
}

function ownExpiry(identifier: Uint8Array): number {
  try {
    return decodeIdentifier(identifier).expiresAt
  } catch {
    return 0
  }
}

/** `2026-11-01T00:00:00.000Z`, with the caveat that is the reason; `never` without an expiry. */
export function expiryText(expiry: Expiry | undefined): string {
  if (expiry === undefined) return 'never'
  return `${timeText(expiry.atMs)}${expiry.caveat === undefined ? '' : `, by the caveat ${expiry.caveat}`}`
}

/** The caveat with the date after a time in unix seconds, which nobody can read. */
export function withDate(text: string): string {
  const [, seconds] = /\btime (?:<|<=|>|>=) ([0-9]{1,12})$/.exec(text) ?? []
  return seconds === undefined ? text : `${text} (${shortTimeText(Number(seconds) * 1_000)})`
}
