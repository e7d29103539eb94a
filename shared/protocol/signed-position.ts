/**
 * A position signed by the authority. Only a signed newer position makes a primary stop, because anybody can invent an unsigned
 * one. Signed text: "macaroond position 1", cluster, timeline and position, each on a line of its own.
 */
import { z } from 'zod'
import { ed25519Sign, ed25519Verify, type Ed25519PrivateKey } from '../crypto.ts'
import type { Timeline } from '../ids.ts'
import { timeline as asTimeline } from '../ids.ts'
import { decodeBase64Url } from '../macaroon/base64url.ts'
import { isPosition, parsePosition, positionText, type Position } from '../position.ts'

// A type, not an interface: it is sent as JSON, which wants an index signature.
export type SignedPosition = {
  readonly position: string
  readonly timeline: string
  /** Ed25519 signature (RFC 8032), 64 bytes in base64url. */
  readonly signature: string
}

export const signedPosition: z.ZodType<SignedPosition> = z.strictObject({
  position: z.string().max(64),
  timeline: z.string().length(32),
  signature: z.string().length(86),
})

export interface ProvenPosition {
  readonly position: Position
  readonly timeline: Timeline
}

export function signPosition(key: Ed25519PrivateKey, cluster: string, proven: ProvenPosition): SignedPosition {
  const position = positionText(proven.position)
  const signature = ed25519Sign(key, signedBytes(cluster, position, proven.timeline))
  return { position, timeline: proven.timeline, signature: Buffer.from(signature).toString('base64url') }
}

/** Returns undefined if the signature is not the authority's, or the signed text is no position. */
export function checkPosition(
  publicKey: Uint8Array,
  cluster: string,
  signed: SignedPosition,
): ProvenPosition | undefined {
  const signature = decodeBase64Url(signed.signature)
  if (signature === undefined || !isPosition(signed.position)) return undefined
  if (!ed25519Verify(publicKey, signedBytes(cluster, signed.position, signed.timeline), signature)) return undefined
  return { position: parsePosition(signed.position), timeline: asTimeline(signed.timeline) }
}

function signedBytes(cluster: string, position: string, line: string): Buffer {
  return Buffer.from(['macaroond position 1', cluster, line, position].join('\n'))
}
