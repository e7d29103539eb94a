/** Names of the channels. Each connection has one purpose, so that bulk data never delays a revocation. */
export type ChannelName = 'wal' | 'revocations' | 'verify' | 'feed' | 'sign' | 'admin'

export const CHANNELS: readonly ChannelName[] = ['wal', 'revocations', 'verify', 'feed', 'sign', 'admin']

export function isChannelName(value: unknown): value is ChannelName {
  return CHANNELS.some((name) => name === value)
}
