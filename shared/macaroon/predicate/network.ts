/** Parses and compares IP addresses and networks (CIDR). An IPv4-mapped IPv6 address (`::ffff:a.b.c.d`) counts as IPv4. */
import { isIPv4, isIPv6 } from 'node:net'
import { parseInteger } from './interval.ts'

export interface Network {
  readonly version: 4 | 6
  readonly address: bigint
  readonly prefixBits: number
}

const WIDTH_BITS = { 4: 32, 6: 128 } as const
const MAPPED_BITS = 96
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

/** True if the network contains the address. `::/0` contains no IPv4 address, because an IPv6 network means IPv6 only. */
export function containsAddress(network: Network, host: Network): boolean {
  if (network.version !== host.version) return false
  const hostBits = BigInt(WIDTH_BITS[network.version] - network.prefixBits)
  return network.address >> hostBits === host.address >> hostBits
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
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => 0n)
  return [...left, ...zeros, ...right].reduce((sum, group) => (sum << 16n) | group, 0n)
}

function groups(text: string): bigint[] {
  if (text === '') return []
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return [BigInt(`0x${part}`)]
    const embedded = ipv4(part)
    return [embedded >> 16n, embedded & 0xffffn]
  })
}
