/** One message is one frame: its length as a varint, then its bytes. An empty message is a heartbeat. */
import * as lp from 'it-length-prefixed'
import type { Uint8ArrayList } from 'uint8arraylist'
import { MacaroondError } from '../errors.ts'

type LengthDecoder = ((data: Uint8ArrayList) => number) & { bytes: number }

/** Four bytes hold 2^28 - 1, far above any message; a fifth can only be an attack or garbage. */
const LENGTH_BYTES_MAX = 4

/** Prefix and body in one list: encoded apart they would be two Noise frames, and nothing may be sent between them. */
export function frame(message: Uint8Array): Uint8ArrayList {
  return lp.encode.single(message)
}

/** Decodes frames, of heartbeats that come together one; `bytesMax` is asked at each one, because a hello may be less than what comes after it. */
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
 * Only the shortest form of a length is taken. The library's own decoder reads padded ones and then consumes the length
 * of the short form, so the two sides would disagree about where the next frame starts.
 */
const lengthDecoder: LengthDecoder = Object.assign(
  (data: Uint8ArrayList): number => {
    let length = 0
    for (let index = 0; index < LENGTH_BYTES_MAX; index += 1) {
      // Throws RangeError when the byte has not come yet, which is how the library learns to wait.
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
 * Heartbeats that come together count as one. Each by itself takes a turn of everything behind it: a peer that sends nothing
 * else would keep the node from all other work, with a byte for every two microseconds.
 */
function heartbeatsIn(data: Uint8ArrayList): number {
  let count = 1
  while (count < data.byteLength && data.get(count) === 0) count += 1
  return count
}

function violation(what: string): MacaroondError {
  return new MacaroondError('protocol_violation', `the peer ${what}`)
}
