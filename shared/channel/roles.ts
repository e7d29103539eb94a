/**
 * The roles of peers and the channels that each may open. The server maps a proven PeerId to a role, and the role to channels.
 */
import { CHANNELS, type ChannelName } from './channel-name.ts'

export type Role = 'replica' | 'worker' | 'signer' | 'operator'

const MAY_OPEN: Readonly<Record<Role, readonly ChannelName[]>> = {
  replica: ['wal', 'revocations'],
  worker: ['verify', 'feed'],
  signer: ['sign'],
  operator: CHANNELS,
}

export const ROLES: readonly Role[] = ['replica', 'worker', 'signer', 'operator']

export function isRole(value: unknown): value is Role {
  return ROLES.some((role) => role === value)
}

/** True if a peer with this role may open the channel. */
export function mayOpen(role: Role, channel: ChannelName): boolean {
  return MAY_OPEN[role].includes(channel)
}
