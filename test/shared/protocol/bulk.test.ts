import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BULK_CHUNK_BYTES, CONTROL_MESSAGE_BYTES_MAX } from '../../../shared/limits.ts'
import { BULK_SEGMENT, BULK_SNAPSHOT, decodeChunk, encodeChunk, encodeChunks } from '../../../shared/protocol/bulk.ts'
import { isControl } from '../../../shared/protocol/message.ts'

function reassemble(frames: Iterable<Uint8Array>): { bytes: Buffer; frames: number } {
  const parts: Buffer[] = []
  let count = 0
  let ended = false
  for (const frame of frames) {
    expect(ended).toBe(false)
    expect(isControl(frame)).toBe(false)
    expect(frame.length).toBeLessThan(CONTROL_MESSAGE_BYTES_MAX)
    const { payload, last } = decodeChunk(Buffer.from(frame))
    parts.push(Buffer.from(payload))
    ended = last
    count += 1
  }
  expect(ended).toBe(true)
  return { bytes: Buffer.concat(parts), frames: count }
}

test('a file in any pieces comes back from its chunks, the fewest possible, the last one marked', () => {
  const sizes = fc.array(
    fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: BULK_CHUNK_BYTES - 2, max: BULK_CHUNK_BYTES + 2 })),
    { minLength: 1, maxLength: 8 },
  )
  fc.assert(
    fc.property(sizes, fc.constantFrom(BULK_SEGMENT, BULK_SNAPSHOT), (lengths, kind) => {
      const total = lengths.reduce((sum, length) => sum + length, 0)
      fc.pre(total > 0)
      const file = Buffer.from(Array.from({ length: total }, (_, index) => (index * 31) & 0xff))
      let at = 0
      const pieces = lengths.map((length) => file.subarray(at, (at += length)))
      const whole = reassemble(encodeChunks(kind, pieces))
      expect(whole.bytes.equals(file)).toBe(true)
      expect(whole.frames).toBe(Math.ceil(total / BULK_CHUNK_BYTES))
    }),
    { numRuns: 60 },
  )
})

test('a frame that was handed out does not change while the next one is made', () => {
  const file = Buffer.alloc(BULK_CHUNK_BYTES * 3)
  for (let index = 0; index < file.length; index += 1) file[index] = Math.floor(index / BULK_CHUNK_BYTES) + 1
  const frames = [...encodeChunks(BULK_SEGMENT, [file])]
  expect(frames.map((frame) => decodeChunk(frame).payload[0])).toEqual([1, 2, 3])
})

test('frames of no known kind or flag, empty ones and oversized ones are refused', () => {
  const good = Buffer.from(encodeChunk(BULK_SEGMENT, Buffer.from('x'), true))
  const frames = [
    Buffer.alloc(0),
    good.subarray(0, 1),
    good.subarray(0, 2),
    Buffer.from([0, 1, 1]),
    Buffer.from([3, 1, 1]),
    Buffer.from([1, 2, 1]),
    Buffer.from([1, 0xff, 1]),
    Buffer.concat([good, Buffer.alloc(BULK_CHUNK_BYTES)]),
  ]
  for (const frame of frames) {
    expect(() => decodeChunk(frame)).toThrow(expect.objectContaining({ code: 'protocol_violation' }))
  }
})

test('any bytes are a chunk or a violation', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
      try {
        expect(decodeChunk(bytes).payload.length).toBe(bytes.length - 2)
      } catch (error) {
        expect(error).toMatchObject({ code: 'protocol_violation' })
      }
    }),
  )
})
