/** Targets of an open channel: calls with the parameters of every method, and the messages of each stream. */
import type { z } from 'zod'
import {
  decodeRequest,
  decodeResponse,
  encodeFailure,
  encodeRequest,
  encodeResult,
} from '../../../shared/channel/rpc.ts'
import type { ErrorCode } from '../../../shared/errors.ts'
import { BULK_CHUNK_BYTES } from '../../../shared/limits.ts'
import { BULK_SEGMENT, BULK_SNAPSHOT, decodeChunk, encodeChunk, encodeChunks } from '../../../shared/protocol/bulk.ts'
import { fromWorker, toWorker } from '../../../shared/protocol/feed.ts'
import { knownResult } from '../../../shared/protocol/known-revocations.ts'
import { decodeMessage, encodeMessage } from '../../../shared/protocol/message.ts'
import { params } from '../../../shared/protocol/params.ts'
import { recordOf, type RevocationRow } from '../../../shared/verifier/revocation-row.ts'
import { fromStream, toStream } from '../../../shared/protocol/revocations.ts'
import { gapAfter, type Stretch } from '../../../shared/protocol/stretch.ts'
import { fromReplica, toReplica } from '../../../shared/protocol/wal.ts'
import { CALLS, MESSAGES, ROWS } from '../samples.ts'
import { requireBytes, requireSame, type Target } from '../target.ts'

const VIOLATION: readonly ErrorCode[] = ['protocol_violation']

/** Rows are sent as they came, also those that this version does not know; that people were told of one is not sent on. */
function sendable(message: object): object {
  if (!('rows' in message)) return message
  const rows = (message.rows as readonly RevocationRow[]).map(recordOf).map((row) => ({ ...row, poison: undefined }))
  return { ...message, rows }
}

function stream(name: string, schema: z.ZodType<{ readonly t: string }>, seeds: readonly object[]): Target {
  return {
    name,
    seeds: () => seeds.map(encodeMessage),
    run: (input) => {
      const message = decodeMessage(input, schema)
      const again = decodeMessage(encodeMessage(sendable(message)), schema)
      requireSame(sendable(again), sendable(message), 'a message reads differently when written again')
      return message.t === 'revoked' ? `revoked, ${stretchText(message as unknown as Stretch)}` : message.t
    },
    codes: VIOLATION,
    reach: [...new Set(seeds.map((seed) => (seed as { readonly t: string }).t))].flatMap(reached),
  }
}

const reached = (t: string): readonly string[] =>
  t === 'revoked' ? ['in order', 'not understood', 'with a gap'].map((how) => `revoked, ${how}`) : [t]

/** Whatever is taken as a stretch that goes on is in order. */
function stretchText(stretch: Stretch): string {
  const { after, rows, through } = stretch
  if (gapAfter(after, stretch) !== undefined) return 'with a gap'
  const numbers = [after, ...rows.map(({ seq }) => seq)]
  const ordered = numbers.every((seq, at) => at === 0 || seq > numbers[at - 1]!) && numbers.at(-1)! <= through
  if (!ordered) throw new Error('a stretch out of order goes on')
  return rows.some(({ kind }) => kind === 'unknown') ? 'not understood' : 'in order'
}

function runRequest(input: Buffer): string {
  const request = decodeRequest(input)
  requireSame(decodeRequest(encodeRequest(request)), request, 'a call reads differently when written again')
  const call = CALLS.find(({ method }) => method === request.method)
  if (call === undefined) return 'of no method'
  const read = params<unknown>(call.schema, request.params)
  requireSame(params<unknown>(call.schema, read), read, 'parameters read differently when written again')
  return `of ${call.method}`
}

function runResponse(input: Buffer): string {
  const response = decodeResponse(input)
  const { id } = response
  if ('error' in response) {
    const again = decodeResponse(encodeFailure(id, response.error))
    requireSame(again, response, 'an error reads differently when written again')
    return 'error'
  }
  requireSame(decodeResponse(encodeResult(id, response.result)), response, 'a result reads differently')
  return knownResult.safeParse(response.result).success ? 'known revocations' : 'result'
}

function runChunk(input: Buffer): string {
  const { kind, last, payload } = decodeChunk(input)
  if (payload.length > BULK_CHUNK_BYTES) throw new Error('a chunk beyond the limit')
  requireBytes(encodeChunk(kind, payload, last), input, 'a second encoding of a chunk was accepted')
  return `${kind === BULK_SEGMENT ? 'segment' : 'snapshot'}${last ? ', the last' : ''}`
}

const KNOWN = {
  position: null,
  issueClockMs: 5,
  leaseMsMax: 5_000,
  rows: [{ kind: 'token', org: 'acme', key: { hex: '00ff' }, expires_at: 5, reason: null }],
  journal: ROWS,
  next: null,
}

export const MESSAGE_TARGETS: readonly Target[] = [
  {
    name: 'request',
    seeds: () =>
      CALLS.map(({ method, params: given }, at) => Buffer.from(encodeRequest({ id: at + 1, method, params: given }))),
    run: runRequest,
    codes: ['protocol_violation', 'request_invalid'],
    reach: [...CALLS.map(({ method }) => `of ${method}`), 'request_invalid', 'protocol_violation'],
  },
  {
    name: 'response',
    seeds: () => [
      Buffer.from(encodeResult(7, { ok: true, node: 'fra', txid: 5 })),
      Buffer.from(encodeResult(8, KNOWN)),
      Buffer.from(encodeFailure(9, { code: 'overloaded', message: 'later', hint: 'wait', retryAfterMs: 70 })),
    ],
    run: runResponse,
    codes: VIOLATION,
    reach: ['result', 'error', 'known revocations'],
  },
  stream('to replica', toReplica, MESSAGES.toReplica),
  stream('from replica', fromReplica, MESSAGES.fromReplica),
  stream('to stream', toStream, MESSAGES.toStream),
  stream('from stream', fromStream, MESSAGES.fromStream),
  stream('to worker', toWorker, MESSAGES.toWorker),
  stream('from worker', fromWorker, MESSAGES.fromWorker),
  {
    name: 'chunk',
    seeds: () => [
      ...[...encodeChunks(BULK_SNAPSHOT, [Buffer.alloc(100, 5)])].map((chunk) => Buffer.from(chunk)),
      Buffer.from(encodeChunk(BULK_SEGMENT, Buffer.alloc(9, 1), false)),
      Buffer.from(encodeChunk(BULK_SNAPSHOT, Buffer.alloc(9, 1), false)),
      Buffer.from(encodeChunk(BULK_SEGMENT, Buffer.alloc(BULK_CHUNK_BYTES, 1), true)),
    ],
    run: runChunk,
    codes: VIOLATION,
    reach: ['segment', 'segment, the last', 'snapshot', 'snapshot, the last', 'protocol_violation'],
  },
]
