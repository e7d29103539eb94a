/** The limits of one end of a channel. The defaults come from `limits.ts`; tests and some nodes override a few. */
import {
  CLOSE_TIMEOUT_MS,
  CONNECTIONS_MAX,
  CONNECTIONS_PER_PEER_MAX,
  CONNECT_TIMEOUT_MS,
  CONTROL_MESSAGE_BYTES_MAX,
  HANDSHAKES_A_SECOND_MAX,
  HANDSHAKES_AT_ONCE_MAX,
  HANDSHAKES_UNFINISHED_MAX,
  HANDSHAKE_BYTES_MAX,
  HANDSHAKE_TIMEOUT_MS,
  HEARTBEAT_INTERVAL_MS,
  HEARTBEAT_SILENCE_MS,
  HELLO_BYTES_MAX,
  READ_QUEUE_BYTES_MAX,
  WRITE_BACKLOG_BYTES_MAX,
} from '../limits.ts'

/** All limits of one end. Sizes are in bytes; `limits.ts` has the reason of each default. */
export interface ChannelLimits {
  readonly messageBytesMax: number
  readonly helloBytesMax: number
  /** Bytes that a server accepts from a peer before the welcome. */
  readonly handshakeBytesMax: number
  readonly handshakeTimeoutMs: number
  readonly handshakesUnfinishedMax: number
  readonly handshakesASecondMax: number
  readonly handshakesAtOnceMax: number
  readonly connectTimeoutMs: number
  readonly connectionsMax: number
  readonly connectionsPerPeerMax: number
  readonly readQueueBytesMax: number
  readonly writeBacklogBytesMax: number
  readonly heartbeatIntervalMs: number
  readonly heartbeatSilenceMs: number
  readonly closeTimeoutMs: number
}

export const DEFAULT_LIMITS: ChannelLimits = {
  messageBytesMax: CONTROL_MESSAGE_BYTES_MAX,
  helloBytesMax: HELLO_BYTES_MAX,
  handshakeBytesMax: HANDSHAKE_BYTES_MAX,
  handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
  handshakesUnfinishedMax: HANDSHAKES_UNFINISHED_MAX,
  handshakesASecondMax: HANDSHAKES_A_SECOND_MAX,
  handshakesAtOnceMax: HANDSHAKES_AT_ONCE_MAX,
  connectTimeoutMs: CONNECT_TIMEOUT_MS,
  connectionsMax: CONNECTIONS_MAX,
  connectionsPerPeerMax: CONNECTIONS_PER_PEER_MAX,
  readQueueBytesMax: READ_QUEUE_BYTES_MAX,
  writeBacklogBytesMax: WRITE_BACKLOG_BYTES_MAX,
  heartbeatIntervalMs: HEARTBEAT_INTERVAL_MS,
  heartbeatSilenceMs: HEARTBEAT_SILENCE_MS,
  closeTimeoutMs: CLOSE_TIMEOUT_MS,
}

/** The defaults, with some of them replaced. */
export function channelLimits(overrides: Partial<ChannelLimits> = {}): ChannelLimits {
  return { ...DEFAULT_LIMITS, ...overrides }
}
