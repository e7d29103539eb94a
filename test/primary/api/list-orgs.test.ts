/** V5: a list of orgs comes in answers that fit into a message, however many orgs and keys there are. */
import { expect, test } from 'vitest'
import { SigningApi } from '../../../primary/api/signing-api.ts'
import type { AuthorityState, Org, OrgKey } from '../../../primary/authority/state.ts'
import type { GroupWriter } from '../../../primary/commit-log/group-writer.ts'
import { listOrgs } from '../../../primary/signer/list-orgs.ts'
import type { KnownPeer } from '../../../shared/channel/peers.ts'
import { kid as asKid, type Kid } from '../../../shared/ids.ts'
import { CONTROL_MESSAGE_BYTES_MAX } from '../../../shared/limits.ts'
import type { OrgListPage } from '../../../shared/protocol/sign.ts'

const OPERATOR = { id: '12D3Koo', name: 'operator', role: 'operator' } as unknown as KnownPeer
const SIGNER = { id: '12D3Kop', name: 'signer', role: 'signer', orgs: ['o-1', 'o-4999'] } as unknown as KnownPeer

/** An authority with so many keys of each org, in an order that is not that of the names. */
function apiOver(keysOf: ReadonlyMap<string, number>): SigningApi {
  const orgs = new Map<string, Org>()
  const keys = new Map<Kid, OrgKey>()
  for (const [name, count] of keysOf) {
    orgs.set(name, { name, state: 'active', createdMs: 1_700_000_000_000 } as Org)
    for (let generation = 1; generation <= count; generation += 1) {
      const kid = asKid((keys.size + 1).toString(16).padStart(16, '0'))
      keys.set(kid, { kid, org: name, generation, state: 'active' } as unknown as OrgKey)
    }
  }
  return new SigningApi({ state: { orgs, keys } as AuthorityState } as GroupWriter)
}

/** All pages, each as a caller gets it. */
async function walk(api: SigningApi, peer = OPERATOR): Promise<{ pages: number; list: OrgListPage['orgs'] }> {
  let pages = 0
  const { orgs: list } = await listOrgs(async (_, params) => {
    const text = JSON.stringify(api.listOrgs(peer, params))
    expect(Buffer.byteLength(text)).toBeLessThan(CONTROL_MESSAGE_BYTES_MAX / 2)
    pages += 1
    return JSON.parse(text) as OrgListPage
  })
  return { pages, list }
}

test('5,000 orgs come in several answers, each org once', async () => {
  const names = Array.from({ length: 5_000 }, (_, index) => `o-${4_999 - index}`)
  const api = apiOver(new Map(names.map((name) => [name, 2])))
  const { pages, list } = await walk(api)
  expect(pages).toBeGreaterThan(2)
  expect(list.map(({ name }) => name)).toEqual(names.toSorted())
  expect(list.every(({ keys }) => keys.length === 2)).toBe(true)
  expect((await walk(api, SIGNER)).list.map(({ name }) => name)).toEqual(['o-1', 'o-4999'])
})

test('an org with 20,000 keys goes on from answer to answer', async () => {
  const api = apiOver(
    new Map([
      ['a', 1],
      ['b', 20_000],
      ['c', 0],
      ['d', 3],
    ]),
  )
  const { list } = await walk(api)
  expect(list.map(({ name, keys }) => [name, keys.length])).toEqual([
    ['a', 1],
    ['b', 20_000],
    ['c', 0],
    ['d', 3],
  ])
  expect(new Set(list[1]?.keys.map(({ generation }) => generation)).size).toBe(20_000)
})

test('an older caller gets all orgs, or an error if they do not fit', () => {
  const few = apiOver(new Map([['a', 1]]))
  expect(few.listOrgs(OPERATOR, {})).toMatchObject({ orgs: [{ name: 'a' }], next: null })
  const many = apiOver(new Map([['a', 20_000]]))
  expect(() => many.listOrgs(OPERATOR, {})).toThrow(expect.objectContaining({ code: 'request_invalid' }))
})
