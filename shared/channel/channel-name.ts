/** What a connection is for: one connection a purpose, so that bulk never stands in the way of a revocation. */
export type ChannelName = 'wal' | 'revocations' | 'verify' | 'feed' | 'sign' | 'admin'

export const CHANNELS: readonly ChannelName[] = ['wal', 'revocations', 'verify', 'feed', 'sign', 'admin']

export function isChannelName(value: unknown): value is ChannelName {
  return CHANNELS.some((name) => name === value)
}
