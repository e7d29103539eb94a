import { BlockList } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseNetworkAddress, parseNetwork } from '../../../../shared/macaroon/predicate/network.ts'
import { AskedValue } from '../../../../shared/macaroon/predicate/asked-value.ts'
import { compilePredicate } from '../../../../shared/macaroon/predicate/compile.ts'

function holds(network: string, address: string): boolean | undefined {
  const predicate = compilePredicate(`ip in ${network}`)
  const asked = new AskedValue(address)
  return predicate.kind === 'value' && asked.address !== undefined ? predicate.allows(asked) : undefined
}

describe('networks', () => {
  test.each([
    ['10.0.0.0/8', '10.1.2.3', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['10.0.0.0/8', '::ffff:a01:203', true],
    ['::ffff:10.0.0.0/104', '10.1.2.3', true],
    ['::ffff:0:0/96', '1.2.3.4', true],
    ['0.0.0.0/0', '255.255.255.255', true],
    ['0.0.0.0/0', '::1', false],
    ['::/0', '10.0.0.1', false],
    ['::/0', '::ffff:10.0.0.1', false],
    ['::/0', '2001:db8::1', true],
    ['2001:db8::/32', '2001:DB8:0:0:0:0:0:1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['2001:db8::1', '2001:db8::1', true],
    ['::1', '::1', true],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304', true],
    ['192.168.1.1', '192.168.1.1', true],
    ['192.168.1.1/32', '192.168.1.2', false],
  ])('%s holds %s: %s', (network, address, expected) => {
    expect(holds(network, address)).toBe(expected)
  })

  test.each([
    '010.0.0.1',
    '10.0.0',
    '10.0.0.256',
    '0x0a.0.0.1',
    '10.0.0.1 ',
    'fe80::1%eth0',
    '::g',
    '',
    '1',
    '10.0.0.1:80',
    '[::1]',
  ])('%j is no address', (text) => {
    expect(parseNetworkAddress(text)).toBeUndefined()
  })

  test.each([
    '10.0.0.1/8',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '10.0.0.0/08',
    '::1/64',
    '::/129',
    '10.0.0.0/8/8',
    '/8',
  ])('%j is no network', (text) => {
    expect(parseNetwork(text)).toBeUndefined()
  })

  test("agree with Node's own lists on IPv4", () => {
    const address = fc.ipV4()
    fc.assert(
      fc.property(address, fc.integer({ min: 1, max: 32 }), address, (base, bits, asked) => {
        const number = base.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
        const start = Math.floor(number / 2 ** (32 - bits)) * 2 ** (32 - bits)
        const network = [24, 16, 8, 0].map((shift) => Math.floor(start / 2 ** shift) % 256).join('.')
        const list = new BlockList()
        list.addSubnet(network, bits, 'ipv4')
        expect(holds(`${network}/${bits}`, asked)).toBe(list.check(asked, 'ipv4'))
        expect(holds(`${network}/${bits}`, base)).toBe(true)
      }),
    )
  })

  test("agree with Node's own lists on IPv6", () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.ipV6(), (base, asked) => {
        if (parseNetworkAddress(base)?.version !== 6 || parseNetworkAddress(asked)?.version !== 6) return
        const list = new BlockList()
        list.addAddress(base, 'ipv6')
        expect(holds(base, asked)).toBe(list.check(asked, 'ipv6'))
        expect(holds(base, base)).toBe(true)
      }),
    )
  })
})
