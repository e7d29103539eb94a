import { expect, test } from 'vitest'
import { THIRD_PARTIES_MAX } from '../../../shared/limits.ts'
import { ACTOR, Authority, imageOf } from './fixture.ts'
import { codeOf } from '../../shared/code-of.ts'

function add(authority: Authority, name: string): void {
  authority.do({ kind: 'third-party.add', actor: ACTOR, name, unrevoked: false })
}

test('a third party that is removed and added again has another key, and is added only once', () => {
  const authority = new Authority()
  add(authority, 'store')
  const first = authority.state.thirdParties.get('store')?.publicKey
  expect(codeOf(() => add(authority, 'store'))).toBe('third_party_exists')
  expect(authority.state.thirdParties.get('store')?.publicKey).toBe(first)
  authority.do({ kind: 'third-party.remove', actor: ACTOR, name: 'store' })
  add(authority, 'store')
  expect(authority.state.thirdParties.get('store')?.publicKey).not.toEqual(first)
})

test('removing an absent third party and adding one beyond the limit change nothing', () => {
  const authority = new Authority()
  for (let count = 0; count < THIRD_PARTIES_MAX; count += 1) add(authority, `store ${count}`)
  const before = imageOf(authority.state)
  expect(codeOf(() => add(authority, 'one more'))).toBe('request_invalid')
  const remove = (): unknown => authority.do({ kind: 'third-party.remove', actor: ACTOR, name: 'nobody' })
  expect(codeOf(remove)).toBe('third_party_missing')
  expect(imageOf(authority.state)).toBe(before)
})
