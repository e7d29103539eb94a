import { expect, it } from 'vitest'
import { CHANNELS, isChannelName } from '../../../shared/channel/channel-name.ts'
import { isRole, mayOpen, ROLES } from '../../../shared/channel/roles.ts'

it('each role opens its own channels and no other', () => {
  const table = Object.fromEntries(ROLES.map((role) => [role, CHANNELS.filter((channel) => mayOpen(role, channel))]))
  expect(table).toEqual({
    replica: ['wal', 'revocations'],
    worker: ['verify', 'feed'],
    signer: ['sign'],
    operator: ['wal', 'revocations', 'verify', 'feed', 'sign', 'admin'],
  })
})

it('names that are inherited by every object are neither roles nor channels', () => {
  for (const name of ['constructor', '__proto__', 'toString', '', undefined, 1]) {
    expect(isRole(name)).toBe(false)
    expect(isChannelName(name)).toBe(false)
  }
})
