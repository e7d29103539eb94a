/** Encodes and decodes control messages, one JSON object each. Bulk frames start with a byte that starts no JSON text. */
import type { z } from 'zod'
import { decodeJsonObject } from '../channel/json.ts'
import { MacaroondError } from '../errors.ts'
import { IN_SENTENCES } from '../schema-sentences.ts'
import { CONTROL_MESSAGE_BYTES_MAX } from '../limits.ts'

const OPENING_BRACE = 0x7b

export function encodeMessage(message: object): Buffer {
  return Buffer.from(JSON.stringify(message))
}

/** True if the frame is a control message. A bulk frame starts with its kind, 1 or 2. */
export function isControl(frame: Uint8Array): boolean {
  return frame[0] === OPENING_BRACE
}

/** Throws protocol_violation if the message does not match the schema; the caller then closes the connection. */
export function decodeMessage<T>(frame: Uint8Array, schema: z.ZodType<T>): T {
  if (frame.length > CONTROL_MESSAGE_BYTES_MAX) throw violation(`a control message of ${frame.length} bytes`)
  const result = schema.safeParse(decodeJsonObject(frame), IN_SENTENCES)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw violation(`a message whose ${issue?.path.join('.') || 'form'} is wrong: ${issue?.message ?? ''}`)
}

function violation(what: string): MacaroondError {
  return new MacaroondError('protocol_violation', `the peer sent ${what}`, {
    hint: 'both sides should run versions of macaroond that speak the same protocol',
  })
}
