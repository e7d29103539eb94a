/** Control messages are one JSON object each; bulk frames start with a byte that no JSON text starts with. */
import type { z } from 'zod'
import { decodeJsonObject } from '../channel/json.ts'
import { MacaroondError } from '../errors.ts'
import { CONTROL_MESSAGE_BYTES_MAX } from '../limits.ts'

const OPENING_BRACE = 0x7b

export function encodeMessage(message: object): Buffer {
  return Buffer.from(JSON.stringify(message))
}

/** True when the frame holds a control message; bulk frames start with their kind, 1 and up. */
export function isControl(frame: Uint8Array): boolean {
  return frame[0] === OPENING_BRACE
}

/** Throws protocol_violation: whoever sends what is not in the protocol is cut off, nothing is guessed. */
export function decodeMessage<T>(frame: Uint8Array, schema: z.ZodType<T>): T {
  if (frame.length > CONTROL_MESSAGE_BYTES_MAX) throw violation(`a control message of ${frame.length} bytes`)
  const result = schema.safeParse(decodeJsonObject(frame))
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw violation(`a message whose ${issue?.path.join('.') || 'form'} is wrong: ${issue?.message ?? ''}`)
}

function violation(what: string): MacaroondError {
  return new MacaroondError('protocol_violation', `the peer sent ${what}`, {
    hint: 'both sides should run versions of macaroond that speak the same protocol',
  })
}
