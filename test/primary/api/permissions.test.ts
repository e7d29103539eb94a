import { expect, test } from 'vitest'
import { mayActFor, requireOrg } from '../../../primary/api/permissions.ts'
import type { KnownPeer } from '../../../shared/channel/peers.ts'

function peer(role: KnownPeer['role'], orgs?: readonly string[]): KnownPeer {
  return { id: '12D3Koo' as KnownPeer['id'], name: 'billing', role, orgs }
}

test('an operator acts for every org, a signer for its own, `*` for all of them', () => {
  expect(mayActFor(peer('operator'), 'acme')).toBe(true)
  expect(mayActFor(peer('signer', ['acme']), 'acme')).toBe(true)
  expect(mayActFor(peer('signer', ['*']), 'acme')).toBe(true)
  expect(mayActFor(peer('signer', ['acme']), 'globex')).toBe(false)
  expect(mayActFor(peer('signer', ['acme']), 'acme2')).toBe(false)
  expect(mayActFor(peer('signer', ['acme']), 'acm')).toBe(false)
  expect(mayActFor(peer('signer', []), 'acme')).toBe(false)
  expect(mayActFor(peer('signer'), 'acme')).toBe(false)
  expect(mayActFor(peer('signer', ['acme']), '*')).toBe(false)
})

test('no other role acts for any org, whatever it lists', () => {
  for (const role of ['worker', 'replica'] as const) {
    expect(mayActFor(peer(role, ['*']), 'acme')).toBe(false)
    expect(() => requireOrg(peer(role, ['acme']), 'acme')).toThrow(
      expect.objectContaining({ code: 'permission_denied' }),
    )
  }
})
