/**
 * Every limit on what comes from outside, in one place; limits that relate are asserted together at the end.
 * Units stand last in the names.
 */
import { assert } from './errors.ts'

// Tokens. libmacaroons stops at 32 KiB a field; a token of this authority is a few hundred bytes.
export const TOKEN_BYTES_MAX: number = 16 * 1024
export const TOKEN_TEXT_CHARS_MAX: number = Math.ceil((TOKEN_BYTES_MAX * 4) / 3) + 16
export const CAVEATS_MAX = 100
export const CAVEAT_BYTES_MAX = 4096
export const LOCATION_BYTES_MAX = 1024
export const IDENTIFIER_BYTES_MAX = 1024
export const SUBJECT_BYTES_MAX = 255
export const ANCESTORS_MAX = 4
export const ORG_CHARS_MAX = 64
export const LIST_ITEMS_MAX = 256
export const ACCESS_KEYS_MAX = 64
export const ACCESS_KEY_CHARS_MAX = 64
export const ACCESS_VALUE_CHARS_MAX = 4096
export const TTL_SECONDS_MAX: number = 100 * 365 * 86_400

// The channel.
export const CONTROL_MESSAGE_BYTES_MAX: number = 1024 * 1024
export const BULK_CHUNK_BYTES: number = 60 * 1024
export const HELLO_BYTES_MAX: number = 16 * 1024
export const HANDSHAKE_TIMEOUT_MS = 3_000
export const HANDSHAKES_UNFINISHED_MAX = 64
export const CONNECTIONS_MAX = 4_096
export const READ_BUFFER_BYTES_MAX: number = 4 * 1024 * 1024
export const WRITE_BACKLOG_BYTES_MAX: number = 8 * 1024 * 1024
export const HEARTBEAT_INTERVAL_MS = 1_000
export const HEARTBEAT_SILENCE_MS = 3_000
export const CONNECTION_AGE_MS_MAX: number = 24 * 3_600_000
export const REQUESTS_IN_FLIGHT_MAX = 1_024

// Shipping.
export const PAGE_BYTES = 4096
export const SEGMENT_BYTES_MAX: number = 256 * 1024 * 1024
export const GROUP_COMMANDS_MAX = 100

assert(BULK_CHUNK_BYTES + 1 <= CONTROL_MESSAGE_BYTES_MAX, 'a bulk chunk must fit into one message')
assert(CONTROL_MESSAGE_BYTES_MAX < READ_BUFFER_BYTES_MAX, 'a message must fit into the read buffer')
assert(READ_BUFFER_BYTES_MAX <= WRITE_BACKLOG_BYTES_MAX, 'the backlog cap must not cut an honest reader off')
assert(CAVEAT_BYTES_MAX < TOKEN_BYTES_MAX && TOKEN_TEXT_CHARS_MAX * 4 < CONTROL_MESSAGE_BYTES_MAX, 'a token must fit')
assert(HEARTBEAT_SILENCE_MS >= 3 * HEARTBEAT_INTERVAL_MS, 'one lost heartbeat must not end a connection')
