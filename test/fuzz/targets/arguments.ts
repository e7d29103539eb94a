/** Targets of the command line: what an operator types, and the names in answers. */
import { parseAccess } from '../../../ops/arguments/access.ts'
import { parseAuthorityKey } from '../../../ops/arguments/authority-key.ts'
import { parseMoment } from '../../../ops/arguments/moments.ts'
import { parseTtl } from '../../../ops/arguments/times.ts'
import { parseTarget } from '../../../ops/arguments/restore-target.ts'
import { addressText, parseAddress } from '../../../shared/channel/address.ts'
import { parsePeerId } from '../../../shared/channel/peer-id.ts'
import type { ErrorCode } from '../../../shared/errors.ts'
import { parseTokenId, tokenId } from '../../../shared/ids.ts'
import { TTL_SECONDS_MAX } from '../../../shared/limits.ts'
import { parsePosition, positionText } from '../../../shared/position.ts'
import { KID, NONCE, POSITION } from '../fixed.ts'
import { scratchFile } from '../scratch.ts'
import { requireSame, type Target } from '../target.ts'
import { PEER } from './config.ts'

const USAGE: readonly ErrorCode[] = ['usage']
const REQUEST: readonly ErrorCode[] = ['request_invalid']

const NOW_MS = 1_700_000_000_000
/** Beyond it there is no date. */
const DATE_MS_MAX = 8.64e15

function argument(
  name: string,
  seeds: readonly string[],
  run: (text: string) => string,
  codes: readonly ErrorCode[],
): Target {
  return {
    name,
    seeds: () => seeds.map((seed) => Buffer.from(seed)),
    run: (input) => run(input.toString('utf8')),
    codes,
    plain: true,
    every: 2,
    reach: ['read', codes[0]!],
  }
}

function readMoment(text: string): number {
  return parseMoment('--at', text, { nowMs: NOW_MS, utc: false })
}

function requireMoment(ms: number): string {
  if (!(ms >= 0 && ms <= DATE_MS_MAX)) throw new Error(`a moment that no date has: ${ms}`)
  return 'read'
}

export const ARGUMENT_TARGETS: readonly Target[] = [
  argument(
    '--at',
    ['2026-11-25T14:00:00Z', '2026-11-25 14:00:00.5+05:30', '2 hours ago', '1.5 weeks ago', '99999999 weeks ago'],
    (text) => {
      const target = parseTarget({ at: text }, readMoment)
      return target.kind === 'time' ? requireMoment(target.atMs) : target.kind
    },
    USAGE,
  ),
  argument(
    '--txid',
    ['77', '000000000000004d'],
    (text) => {
      const target = parseTarget({ txid: text }, readMoment)
      if (target.kind !== 'txid' || !Number.isSafeInteger(target.txid) || target.txid < 1)
        throw new Error('no transaction')
      return 'read'
    },
    USAGE,
  ),
  argument(
    '--before',
    ['2026-11-25T14:00:00Z', '1700000000', '2026-11-25 14:00', '2026-11-25', '3 days ago'],
    (text) => requireMoment(parseMoment('--before', text, { nowMs: NOW_MS, utc: true })),
    USAGE,
  ),
  argument(
    '--ttl',
    ['30s', '7d', '1w', '0'],
    (text) => {
      const seconds = parseTtl(text)
      if (!(seconds >= 0 && seconds <= TTL_SECONDS_MAX)) throw new Error(`a time to live of ${seconds} s`)
      return 'read'
    },
    USAGE,
  ),
  argument(
    '--access',
    ['op=read', 'path=/a=b', '__proto__=x'],
    (text) => {
      const access = parseAccess('acme', [text, text])
      if (Object.keys(access).length !== 2 || access.org !== 'acme') throw new Error('an access of other keys')
      return 'read'
    },
    USAGE,
  ),
  argument(
    '--key',
    ['ab'.repeat(32)],
    (text) => {
      const key = parseAuthorityKey(scratchFile('authority.key', Buffer.from(text)))
      requireSame(Buffer.from(key).toString('hex'), text.trim(), 'a second spelling of a key')
      return 'read'
    },
    ['key_malformed'],
  ),
  argument(
    'position',
    [positionText(POSITION)],
    (text) => {
      const again = positionText(parsePosition(text))
      requireSame(again, text, 'a second spelling of a position')
      return 'read'
    },
    REQUEST,
  ),
  argument(
    'token id',
    [`${KID}.${NONCE}`],
    (text) => {
      const { kid, nonce } = parseTokenId(text)
      requireSame(tokenId(kid, nonce), text, 'a second spelling of an id')
      return 'read'
    },
    REQUEST,
  ),
  argument(
    'address',
    ['127.0.0.1:7000', '[::1]:7000', 'host.example:0'],
    (text) => {
      const { host, port } = parseAddress(text)
      requireSame(parseAddress(addressText({ host, port })), { host, port }, 'it reads differently again')
      return 'read'
    },
    REQUEST,
  ),
  argument(
    'PeerId',
    [PEER],
    (text) => {
      requireSame(parsePeerId(text), text, 'a second spelling of a PeerId')
      return 'read'
    },
    REQUEST,
  ),
]
