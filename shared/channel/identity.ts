/**
 * Reads and creates Ed25519 identity files. A file has one line: the format name, the PeerId and the 32-byte seed in base64url.
 * The PeerId reveals a damaged seed at load. Without it, a damaged seed would be another identity, which no list contains.
 */
import { constants } from 'node:fs'
import { open, unlink, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { systemEntropy, type Entropy } from '../clock.ts'
import { readSmallFile, type SmallFile } from '../files/small-file.ts'
import { MacaroondError } from '../errors.ts'
import { isPrivate, privacyHint } from '../files/trust.ts'
import { requireTrusted, thisUser } from '../files/trusted-file.ts'
import type { PeerIdText } from '../ids.ts'
import { causeAbout, isShown, reasonAbout, shown } from '../shown.ts'
import { parsePeerId } from './peer-id.ts'

/** The Noise identity of a node or a client. The private key stays in memory and in its file. */
export interface Identity {
  readonly peerId: PeerIdText
  readonly privateKey: Ed25519PrivateKey
}

const FORMAT = 'macaroond-identity-1'
const LINE = /^macaroond-identity-1 (12D3Koo[1-9A-HJ-NP-Za-km-z]{45}) ([A-Za-z0-9_-]{43})$/
const FILE_BYTES_MAX = 1024
const SEED_BYTES = 32

/** Throws key_unreadable, key_permissions (other users could read it), file_untrusted or key_malformed. */
export async function loadIdentity(path: string): Promise<Identity> {
  const text = readSecret(path)
  const [, peerId, seed] = LINE.exec(text) ?? []
  if (peerId === undefined || seed === undefined) throw malformed(path)
  const bytes = Buffer.from(seed, 'base64url')
  const identity = await identityFromSeed(bytes)
  // The last base64url character has two unused bits. Comparing the text makes sure that one seed has one text.
  if (identity.peerId !== peerId || bytes.toString('base64url') !== seed) throw malformed(path)
  return identity
}

/**
 * Creates a new identity in a new file of mode 0600, and syncs it. Throws key_exists if the path is taken: an overwritten
 * identity cannot be recovered, and every list that names it would be wrong. Throws io_failed.
 */
export async function createIdentityFile(path: string, entropy: Entropy = systemEntropy): Promise<Identity> {
  const seed = entropy.bytes(SEED_BYTES)
  const identity = await identityFromSeed(seed)
  const file = await createExclusively(path)
  try {
    // The umask may have removed bits from the mode at creation.
    await file.chmod(0o600)
    await file.writeFile(`${FORMAT} ${identity.peerId} ${seed.toString('base64url')}\n`)
    await file.sync()
  } catch (cause) {
    await unlink(path).catch(() => undefined)
    throw new MacaroondError(
      'io_failed',
      `cannot write ${shown(path)}: ${reasonAbout(path, cause)}`,
      causeAbout(path, cause),
    )
  } finally {
    await file.close()
  }
  await syncDirectory(dirname(path))
  return identity
}

/** Makes an identity from 32 unpredictable bytes, without a file. Throws key_malformed for any other number of bytes. */
export async function identityFromSeed(seed: Uint8Array): Promise<Identity> {
  if (seed.byteLength !== SEED_BYTES) {
    throw new MacaroondError('key_malformed', `a seed has ${SEED_BYTES} bytes, and this one has ${seed.byteLength}`, {
      hint: 'give 32 random bytes, decoded if they are in hex or base64; or the path of an identity file as a text',
    })
  }
  const privateKey = await generateKeyPairFromSeed('Ed25519', seed)
  return { privateKey, peerId: parsePeerId(peerIdFromPrivateKey(privateKey).toString()) }
}

/** Ignores a byte order mark in front and CRLF at the end, which Windows editors add, as the reader of a KEK does. */
function readSecret(path: string): string {
  const file = readIdentityFile(path)
  if (file.bytes.length > FILE_BYTES_MAX) throw malformed(path)
  if (!isPrivate(file, thisUser())) throw tooOpen(path, file.mode)
  requireTrusted(path)
  return file.bytes.toString('utf8').trim()
}

function readIdentityFile(path: string): SmallFile {
  try {
    return readSmallFile(path, FILE_BYTES_MAX)
  } catch (cause) {
    if (codeOf(cause) === 'ENOTFILE') throw malformed(path)
    throw new MacaroondError('key_unreadable', `cannot read the identity ${shown(path)}: ${reasonAbout(path, cause)}`, {
      hint: isShown(path)
        ? `make one with \`macaroond keygen --out ${path}\`, or correct the path`
        : 'give the path of an identity file, not what is in it; to the SDKs you can give the seed as a Uint8Array of 32 bytes',
      ...causeAbout(path, cause),
    })
  }
}

async function createExclusively(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600)
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') {
      throw new MacaroondError('key_exists', `${shown(path)} exists already and is not overwritten`, {
        hint: 'choose another path, or move the old identity away first',
      })
    }
    throw new MacaroondError(
      'io_failed',
      `cannot create ${shown(path)}: ${reasonAbout(path, cause)}`,
      causeAbout(path, cause),
    )
  }
}

/** A new name is durable only after its directory was synced (fsync(2), "does not necessarily ensure that the entry…"). */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

function tooOpen(path: string, mode: number): MacaroondError {
  const text = (mode & 0o777).toString(8).padStart(4, '0')
  return new MacaroondError('key_permissions', `the identity ${shown(path)} has mode ${text}: others can reach it`, {
    hint: privacyHint(shown(path)),
  })
}

function malformed(path: string): MacaroondError {
  return new MacaroondError('key_malformed', `${shown(path)} is not a macaroond identity, or it is damaged`, {
    hint: `an identity file has one line that starts with ${FORMAT}; \`macaroond keygen\` makes one`,
  })
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
