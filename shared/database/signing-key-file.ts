/**
 * The file with the authority's signing key before a database exists. `macaroond init` creates it, so that profiles can name
 * the public key at once; the primary imports it when it creates its database. The private half is sealed with the KEK.
 *
 * One line: `macaroond-signing-key-1 <public key, 64 hex digits> <sealed seed, base64url>`.
 */
import type { Entropy } from '../clock.ts'
import { ed25519PublicKey, equalSecrets } from '../crypto.ts'
import { MacaroondError } from '../errors.ts'
import { readTrusted } from '../files/trusted-file.ts'
import { seal, unseal, type Kek } from '../sealing.ts'
import { causeAbout, shown } from '../shown.ts'
import { signingKeyContext } from './signing-key.ts'

const FORMAT = 'macaroond-signing-key-1'
const LINE = /^macaroond-signing-key-1 ([0-9a-f]{64}) ([A-Za-z0-9_-]{40,400})\n?$/
const FILE_BYTES_MAX = 1024
const SEED_BYTES = 32

export interface NewSigningKey {
  readonly publicKey: Uint8Array
  /** Content of the file. */
  readonly text: string
}

export function newSigningKey(cluster: string, kek: Kek, entropy: Entropy): NewSigningKey {
  const seed = entropy.bytes(SEED_BYTES)
  const publicKey = ed25519PublicKey(seed)
  const sealed = seal(kek, signingKeyContext(cluster), seed, entropy)
  return { publicKey, text: `${FORMAT} ${publicKey.toString('hex')} ${sealed.toString('base64url')}\n` }
}

/** Returns the seed, 32 bytes. Throws key_unreadable, key_malformed, kek_wrong. */
export function readSigningKeyFile(path: string, cluster: string, ring: readonly Kek[]): Uint8Array {
  const [, publicKey, sealed] = LINE.exec(read(path)) ?? []
  if (publicKey === undefined || sealed === undefined) throw malformed(path)
  const seed = unseal(ring, signingKeyContext(cluster), Buffer.from(sealed, 'base64url'))
  if (!equalSecrets(ed25519PublicKey(seed), Buffer.from(publicKey, 'hex'))) throw malformed(path)
  return seed
}

function read(path: string): string {
  try {
    return readTrusted(path, FILE_BYTES_MAX).bytes.toString('utf8')
  } catch (cause) {
    if (cause instanceof MacaroondError) throw cause
    throw new MacaroondError('key_unreadable', `cannot read the signing key ${shown(path)}`, {
      hint: '`signing_key` in the primary’s configuration names a file that `macaroond init` made; leave it out to have the primary make its own',
      ...causeAbout(path, cause),
    })
  }
}

function malformed(path: string): MacaroondError {
  return new MacaroondError('key_malformed', `${shown(path)} is not a signing key of macaroond, or it is damaged`, {
    hint: `it has one line that starts with ${FORMAT}; \`macaroond init\` makes one`,
  })
}
