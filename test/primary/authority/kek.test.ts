/** S11: the key that seals secrets. A rotation writes back only what its own transaction has. */
import { expect, test } from 'vitest'
import { kekFromHex, kekIdOf } from '../../../shared/sealing.ts'
import { ACTOR, Authority, imageOf, KEK } from './fixture.ts'
import { codeOf } from '../../shared/code-of.ts'

const NEW = kekFromHex('cd'.repeat(32))

/** By what each secret in the rows is sealed with. */
function seals(authority: Authority): string[] {
  return authority.rows.splice(0).flatMap(({ row }) => {
    if ('sealedSecret' in row) return [kekIdOf(row.sealedSecret)]
    return 'sealedPrivateKey' in row ? [kekIdOf(row.sealedPrivateKey)] : []
  })
}

function makeSecrets(authority: Authority, name: string): void {
  authority.createOrg(name)
  authority.do({ kind: 'key.rotate', actor: ACTOR, org: name })
  authority.do({ kind: 'third-party.add', actor: ACTOR, name, unrevoked: false })
}

const rotate = (authority: Authority, without: readonly string[] = []): unknown =>
  authority.do({ kind: 'kek.rotate', actor: ACTOR, replicasWithout: () => without }).answer

test('a primary with a new key-encryption key seals with it only after its rotation', () => {
  const authority = new Authority()
  authority.ring = [NEW, KEK]
  makeSecrets(authority, 'acme')
  expect(seals(authority)).toEqual([KEK.id, KEK.id, KEK.id])
  expect(rotate(authority)).toEqual({ kek: NEW.id, resealed: 4 })
  expect(seals(authority)).toEqual([NEW.id, NEW.id, NEW.id, NEW.id])
  makeSecrets(authority, 'globex')
  expect(seals(authority)).toEqual([NEW.id, NEW.id, NEW.id])
  expect(rotate(authority)).toEqual({ kek: NEW.id, resealed: 0 })
})

test('a primary put back to the earlier key-encryption key goes on with the one in force', () => {
  const authority = new Authority()
  authority.ring = [NEW, KEK]
  rotate(authority)
  authority.ring = [KEK, NEW]
  seals(authority)
  makeSecrets(authority, 'acme')
  expect(seals(authority)).toEqual([NEW.id, NEW.id, NEW.id])
})

test('without the key-encryption key in force nothing is made, and nothing is changed', () => {
  const authority = new Authority()
  authority.createOrg('acme')
  authority.ring = [NEW]
  const before = imageOf(authority.state)
  for (const kind of ['third-party.add', 'org.create'] as const) {
    expect(codeOf(() => authority.do({ kind, actor: ACTOR, name: 'other', unrevoked: false }))).toBe('kek_wrong')
  }
  expect(codeOf(() => authority.do({ kind: 'key.rotate', actor: ACTOR, org: 'acme' }))).toBe('kek_wrong')
  expect(codeOf(() => rotate(authority))).toBe('kek_wrong')
  expect(imageOf(authority.state)).toBe(before)
})

test('while a replica lacks the new key nothing is sealed again', () => {
  const authority = new Authority()
  makeSecrets(authority, 'acme')
  authority.ring = [NEW, KEK]
  const before = imageOf(authority.state)
  expect(codeOf(() => rotate(authority, ['sin']))).toBe('kek_missing')
  expect(imageOf(authority.state)).toBe(before)
})
