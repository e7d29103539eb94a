/** Parses PeerIds: only Ed25519, only the canonical base58btc form, because PeerIds are compared as text. */
import { peerIdFromString } from '@libp2p/peer-id'
import type { Ed25519PeerId } from '@libp2p/interface'
import { MacaroondError } from '../errors.ts'
import type { PeerIdText } from '../ids.ts'
import { shown } from '../shown.ts'

const SHAPE = /^12D3Koo[1-9A-HJ-NP-Za-km-z]{45}$/

/** Throws request_invalid unless it is the canonical text of an Ed25519 PeerId. */
export function parsePeerId(text: string): PeerIdText {
  ed25519PeerId(text)
  return text as PeerIdText
}

/** Returns the library's object, which has the public key. Throws request_invalid, as `parsePeerId` does. */
export function ed25519PeerId(text: string): Ed25519PeerId {
  if (!SHAPE.test(text)) throw malformed(text)
  const peerId = decoded(text)
  // If two texts decoded to one key, a listed peer could be looked up under a text that no list has.
  if (peerId?.type !== 'Ed25519' || peerId.toString() !== text) throw malformed(text)
  return peerId
}

function decoded(text: string): ReturnType<typeof peerIdFromString> | undefined {
  try {
    return peerIdFromString(text)
  } catch {
    return undefined
  }
}

function malformed(text: string): MacaroondError {
  return new MacaroondError('request_invalid', `not a PeerId: ${shown(text).slice(0, 80)}`, {
    hint: 'a PeerId is 12D3Koo… with 52 characters, as `macaroond keygen` prints it; only Ed25519 keys are accepted',
  })
}
