/** Frames messages: the length as a varint, then the bytes. An empty message is a heartbeat. */
import * as lp from 'it-length-prefixed'
import type { Uint8ArrayList } from 'uint8arraylist'
import { MacaroondError } from '../errors.ts'

type LengthDecoder = ((data: Uint8ArrayList) => number) & { bytes: number }

/** Four bytes hold up to 2^28 - 1, far above any message, so a fifth byte is an attack or garbage. */
const LENGTH_BYTES_MAX = 4

/** Returns prefix and body in one list. Two separate writes would be two Noise frames, with other data possibly in between. */
export function frame(message: Uint8Array): Uint8ArrayList {
  return lp.encode.single(message)
}

/** Decodes frames. `bytesMax` is called for each frame, because the limit of a hello is lower than that of later messages. */
export function deframe(
  source: AsyncIterable<Uint8Array | Uint8ArrayList>,
  bytesMax: () => number,
): AsyncGenerator<Uint8ArrayList, void, unknown> {
  const onLength = (length: number): void => {
    if (length > bytesMax()) throw violation(`announced a message of ${length} bytes, more than ${bytesMax()}`)
  }
  return lp.decode(source, { lengthDecoder, onLength, maxDataLength: 2 ** 28, maxLengthLength: LENGTH_BYTES_MAX })
}

/**
 * Accepts only the shortest form of a length. The library's own decoder reads padded lengths but consumes the bytes of the
 * short form, so the two sides would disagree about the start of the next frame.
 */
const lengthDecoder: LengthDecoder = Object.assign(
  (data: Uint8ArrayList): number => {
    let length = 0
    for (let index = 0; index < LENGTH_BYTES_MAX; index += 1) {
      // Throws RangeError if the byte has not arrived yet; the library then waits for more.
      const byte = data.get(index)
      length |= (byte & 0x7f) << (7 * index)
      if (byte >= 0x80) continue
      if (byte === 0 && index > 0) throw violation('sent a padded length')
      lengthDecoder.bytes = length === 0 ? heartbeatsIn(data) : index + 1
      return length
    }
    throw violation('announced a message of more than 256 MB')
  },
  { bytes: 0 },
)

/**
 * Counts the heartbeats at the front, which are read as one. Each alone would cost about two microseconds, so a peer could
 * block the node by sending nothing but heartbeats, at a byte each.
 */
function heartbeatsIn(data: Uint8ArrayList): number {
  let count = 1
  while (count < data.byteLength && data.get(count) === 0) count += 1
  return count
}

function violation(what: string): MacaroondError {
  return new MacaroondError('protocol_violation', `the peer ${what}`)
}
