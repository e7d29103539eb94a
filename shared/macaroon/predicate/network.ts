/** Parses and compares IP addresses and networks (CIDR). An IPv4-mapped IPv6 address (`::ffff:a.b.c.d`) counts as IPv4. */
import { isIPv4, isIPv6 } from 'node:net'
import { parseInteger } from './interval.ts'
import type { Range } from './ranges.ts'

export interface Network {
  readonly version: 4 | 6
  readonly address: bigint
  readonly prefixBits: number
}

const WIDTH_BITS = { 4: 32, 6: 128 } as const
const MAPPED_BITS = 96
const GROUP_DIGITS = 4
const MAPPED_PREFIX = 0xffffn

/** `10.0.0.0/8`, `2001:db8::/32`, or a single address. Bits after the prefix must be zero, because other bits are a mistake. */
export function parseNetwork(text: string): Network | undefined {
  const [addressText = '', bitsText, more] = text.split('/', 3)
  if (more !== undefined) return undefined
  const raw = parseRaw(addressText)
  if (raw === undefined) return undefined
  const widthBits = WIDTH_BITS[raw.version]
  const prefixBits = bitsText === undefined ? widthBits : parseInteger(bitsText)
  if (prefixBits === undefined || prefixBits > widthBits) return undefined
  const hostBits = BigInt(widthBits - prefixBits)
  if ((raw.address >> hostBits) << hostBits !== raw.address) return undefined
  return unmapped({ ...raw, prefixBits })
}

export function parseNetworkAddress(text: string): Network | undefined {
  const raw = parseRaw(text)
  return raw && unmapped({ ...raw, prefixBits: WIDTH_BITS[raw.version] })
}

/** The addresses of a network, as numbers. Those of IPv4 and of IPv6 must not be compared with each other. */
export function rangeOf({ version, address, prefixBits }: Network): Range<bigint> {
  const hostBits = BigInt(WIDTH_BITS[version] - prefixBits)
  return { low: address, high: address | ((1n << hostBits) - 1n) }
}

function parseRaw(text: string): { version: 4 | 6; address: bigint } | undefined {
  if (isIPv4(text)) return { version: 4, address: ipv4(text) }
  // A zone (`fe80::1%eth0`) has a meaning on one machine only.
  if (isIPv6(text) && !text.includes('%')) return { version: 6, address: ipv6(text) }
  return undefined
}

function unmapped(network: Network): Network {
  const { version, address, prefixBits } = network
  if (version === 4 || prefixBits < MAPPED_BITS || address >> 32n !== MAPPED_PREFIX) return network
  return { version: 4, address: address & 0xffffffffn, prefixBits: prefixBits - MAPPED_BITS }
}

function ipv4(text: string): bigint {
  return BigInt(text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0))
}

function ipv6(text: string): bigint {
  const [head = '', tail = ''] = text.split('::', 2)
  const left = groups(head)
  const right = groups(tail)
  return BigInt(`0x${left}${right.padStart(8 * GROUP_DIGITS - left.length, '0')}`)
}

/** The groups of 16 bits, as hex digits. */
function groups(text: string): string {
  if (text === '') return ''
  return text
    .split(':')
    .map((part) =>
      part.includes('.')
        ? ipv4(part)
            .toString(16)
            .padStart(2 * GROUP_DIGITS, '0')
        : part.padStart(GROUP_DIGITS, '0'),
    )
    .join('')
}
