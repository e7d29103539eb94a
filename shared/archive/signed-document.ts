/**
 * Encodes and decodes signed documents: one line of JSON, then a line with the authority's Ed25519 signature in base64url. The
 * signed bytes are "macaroond <kind> 1", a newline, and the line of JSON. The public key never comes from the archive.
 */
import type { z } from 'zod'
import { ed25519Sign, ed25519Verify, type Ed25519PrivateKey } from '../crypto.ts'
import { MacaroondError } from '../errors.ts'
import { decodeBase64Url } from '../macaroon/base64url.ts'

export type DocumentKind = 'archive manifest' | 'archive epoch'

const NEWLINE = 0x0a

export function encodeSigned(kind: DocumentKind, document: object, key: Ed25519PrivateKey): Buffer {
  const line = Buffer.from(JSON.stringify(document))
  const signature = Buffer.from(ed25519Sign(key, signedBytes(kind, line))).toString('base64url')
  return Buffer.concat([line, Buffer.from(`\n${signature}\n`)])
}

export interface SignedSource<T> {
  readonly kind: DocumentKind
  readonly schema: z.ZodType<T>
  /** The authority's public key, 32 bytes. */
  readonly publicKey: Uint8Array
  /** Name of the document in errors. */
  readonly name: string
}

/**
 * Throws archive_damaged if bytes are missing or changed, if another authority signed it, or if the document does not match the
 * schema.
 */
export function decodeSigned<T>(bytes: Buffer, { kind, schema, publicKey, name }: SignedSource<T>): T {
  const line = bytes.subarray(0, Math.max(0, bytes.indexOf(NEWLINE)))
  if (bytes.length === 0) throw bytesLost(name, 'is empty')
  if (bytes.at(-1) !== NEWLINE) throw bytesLost(name, 'is cut off')
  const signature = signatureOf(bytes, line.length + 1)
  if (signature === undefined || !ed25519Verify(publicKey, signedBytes(kind, line), signature)) throw notSigned(name)
  const parsed = schema.safeParse(parseJson(line))
  if (parsed.success) return parsed.data
  throw new MacaroondError('archive_damaged', `${name} is signed, but not a document of this version`, {
    hint: 'another version of macaroond wrote it: use that version',
  })
}

/**
 * Accepts only canonical base64url. An entry's hash covers the text of its signature, so a second text of the same signature
 * would break the chain.
 */
function signatureOf(bytes: Buffer, start: number): Uint8Array | undefined {
  return decodeBase64Url(bytes.toString('latin1', start, bytes.length - 1))
}

function parseJson(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8'))
  } catch {
    return undefined
  }
}

function signedBytes(kind: DocumentKind, line: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`macaroond ${kind} 1\n`), line])
}

/** The error for missing bytes. The cause is a power cut or a fault of the store, and not a forgery. */
function bytesLost(name: string, what: string): MacaroondError {
  return new MacaroondError('archive_damaged', `${name} ${what}: its bytes were lost`, {
    hint: 'put it back from a copy of the archive; without it, everything that follows it counts as not archived',
  })
}

function notSigned(name: string): MacaroondError {
  return new MacaroondError('archive_damaged', `${name} does not carry the signature of this authority`, {
    hint: 'it was changed, or it belongs to another authority; `macaroond archive key` prints the key of this one',
  })
}
