/**
 * What a fleet costs that no machine here can hold: 50 regions and 20,000 workers, by the messages as the product encodes
 * them, how often they are sent, and what Noise, TCP and IP put around each. A model, not a measurement: it counts bytes
 * and messages, not time.
 */
import { systemEntropy } from '../../shared/clock.ts'
import { frame } from '../../shared/channel/framing.ts'
import { newBootId } from '../../shared/freshness/boot-id.ts'
import { FRESHNESS_DEFAULTS } from '../../shared/freshness/bound.ts'
import { kid, nonce } from '../../shared/ids.ts'
import { HEARTBEAT_INTERVAL_MS } from '../../shared/limits.ts'
import type { FeedGranted } from '../../shared/protocol/feed.ts'
import { encodeMessage } from '../../shared/protocol/message.ts'
import { recordOf } from '../../shared/verifier/revocation-row.ts'
import type { Granted } from '../../shared/protocol/revocations.ts'
import { REVOCATIONS_A_MESSAGE } from '../../shared/protocol/stretch.ts'
import type { Row } from './report.ts'

export interface Fleet {
  readonly regions: number
  readonly workers: number
  /** Revocations that come at once. */
  readonly wave: number
}

export const FLEET: Fleet = { regions: 50, workers: 20_000, wave: 100_000 }

/** Bytes and messages in both directions. */
interface Traffic {
  readonly bytes: number
  readonly messages: number
}

/** Around every frame: the length and the tag of Noise, and the headers of TCP (with timestamps) and IPv4. */
const NOISE_BYTES = 2 + 16
const PACKET_BYTES = 20 + 32
const SEGMENT_BYTES = 1_448
const NOISE_FRAME_BYTES = 65_535

const TIMELINE = 'f'.repeat(32)
const STAND = { epoch: 3, timeline: TIMELINE, seq: 1_234_567, txid: 23_456_789 }
const TIMES = { wallMs: 1_790_000_000_000, believedMs: 1_790_000_000_000 }
const BOOT = newBootId(systemEntropy)

/** On the wire, with the acknowledgement that TCP sends for it where nothing else carries one. */
export function onWire(bodyBytes: number): number {
  const framed = frame(new Uint8Array(bodyBytes)).byteLength
  const sealed = framed + Math.ceil(framed / NOISE_FRAME_BYTES) * NOISE_BYTES
  const packets = Math.ceil(sealed / SEGMENT_BYTES)
  return sealed + packets * PACKET_BYTES + Math.ceil(packets / 2) * PACKET_BYTES
}

export function fleetRows(fleet: Fleet = FLEET): Row[] {
  const { regions, workers, wave } = fleet
  const each = workers / regions
  const quiet = { replica: link(replicaPing(), true), worker: link(workerPing(), false) }
  const row = (name: string, unit: string, value: number): Row => ({ section: fleetName(fleet), name, unit, value })
  const rows = revocationsOnWire(wave)
  return [
    row('primary, nothing happens', 'KB/s', (regions * quiet.replica.bytes) / 1000),
    row('primary, nothing happens', 'messages/s', regions * quiet.replica.messages),
    row('replica, nothing happens', 'KB/s', (quiet.replica.bytes + each * quiet.worker.bytes) / 1000),
    row('replica, nothing happens', 'messages/s', quiet.replica.messages + each * quiet.worker.messages),
    row(`primary sends for a wave of ${wave} revocations`, 'MB', (regions * rows.bytes) / 1e6),
    row('replica sends its workers for it', 'MB', (each * rows.bytes) / 1e6),
    row('one revocation in it, per receiver', 'bytes', rows.bytes / wave),
    row('one lone revocation, per receiver', 'bytes', revocationsOnWire(1).bytes),
  ]
}

function fleetName({ regions, workers }: Fleet): string {
  return `A fleet of ${regions} regions and ${workers} workers, by the model`
}

/** A ping and its answer, as often as they are sent; the pages' connection beats beside it where there is one. */
function link(exchange: readonly number[], hasPages: boolean): Traffic {
  const perSecond = 1000 / FRESHNESS_DEFAULTS.ping_ms
  const pings = exchange.reduce((sum, bytes) => sum + onWire(bytes), 0)
  const beats = hasPages ? (2 * 1000) / HEARTBEAT_INTERVAL_MS : 0
  return {
    bytes: perSecond * pings + beats * onWire(0),
    messages: perSecond * exchange.length + beats,
  }
}

function replicaPing(): readonly number[] {
  const signed = { position: `3.${'0'.repeat(16)}.${'8'.repeat(16)}`, timeline: TIMELINE, signature: 'A'.repeat(86) }
  const granted = {
    t: 'granted',
    id: 100_000,
    ...STAND,
    ...TIMES,
    leaseMs: 5_000,
    boot: BOOT,
    signed,
  } satisfies Granted
  return [sizeOf({ t: 'ping', id: 100_000, wallMs: TIMES.wallMs }), sizeOf(granted)]
}

function workerPing(): readonly number[] {
  const times = { earliestMs: TIMES.wallMs, latestMs: TIMES.wallMs, ageMs: 123.456, leaseMs: 4_876.543 }
  const granted = { t: 'granted', id: 100_000, ...STAND, ...times, boot: BOOT } satisfies FeedGranted
  return [sizeOf({ t: 'ping', id: 100_000 }), sizeOf(granted)]
}

/** In messages as full as they go, and one acknowledgement for each. */
function revocationsOnWire(count: number): Traffic {
  const full = Math.floor(count / REVOCATIONS_A_MESSAGE)
  const rest = count % REVOCATIONS_A_MESSAGE
  const ack = onWire(sizeOf({ t: 'ack', epoch: 3, seq: STAND.seq }))
  const each = (rows: number): number =>
    rows === 0
      ? 0
      : onWire(sizeOf({ t: 'revoked', after: STAND.seq, rows: rowsOf(rows), through: STAND.seq + rows })) + ack
  const messages = 2 * (full + Math.min(1, rest))
  return { bytes: full * each(REVOCATIONS_A_MESSAGE) + each(rest), messages }
}

function rowsOf(count: number): object[] {
  const key = kid('0123456789abcdef')
  return Array.from({ length: count }, (_, index) => {
    const name = nonce((0x0199_0000_0000 + index).toString(16).padStart(32, '0'))
    const row = { kind: 'token', seq: STAND.seq + index, kid: key, nonce: name, expiresAt: 1_790_000_000 } as const
    return recordOf(row)
  })
}

function sizeOf(message: object): number {
  return encodeMessage(message).byteLength
}
