import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deframe, frame } from '../../../shared/channel/framing.ts'

async function* chunks(...parts: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts
}

async function decode(parts: Uint8Array[], bytesMax = 1000): Promise<Buffer[]> {
  const messages: Buffer[] = []
  for await (const message of deframe(chunks(...parts), () => bytesMax)) messages.push(Buffer.from(message.subarray()))
  return messages
}

describe('frames', () => {
  it('come out as they went in, wherever the stream is cut', async () => {
    const message = fc.uint8Array({ minLength: 1, maxLength: 400 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(message, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 50 }),
        async (sent, step) => {
          const bytes = Buffer.concat(sent.map((each) => frame(each).subarray()))
          const parts: Buffer[] = []
          for (let at = 0; at < bytes.length; at += step) parts.push(bytes.subarray(at, at + step))
          expect(await decode(parts)).toEqual(sent.map((each) => Buffer.from(each)))
        },
      ),
    )
  })

  it('that are empty come out as one where they come together, and do not keep the next one up', async () => {
    const bytes = Buffer.concat([Buffer.alloc(60_000), frame(Buffer.from('a')).subarray(), Buffer.alloc(3)])
    expect((await decode([bytes])).map(String)).toEqual(['', 'a', ''])
    expect(
      (await decode([...bytes].map((byte) => Buffer.from([byte])))).filter(({ length }) => length > 0),
    ).toHaveLength(1)
  })

  it('above the limit are refused by their length alone', async () => {
    await expect(decode([Buffer.from([0xe9, 0x07])])).rejects.toMatchObject({ code: 'protocol_violation' })
  })

  it('of two gigabytes or of a length without end are refused by the first bytes', async () => {
    await expect(decode([Buffer.from([0xff, 0xff, 0xff, 0xff, 0x07])])).rejects.toMatchObject({
      code: 'protocol_violation',
    })
    await expect(decode([Buffer.alloc(5, 0xff)])).rejects.toMatchObject({ code: 'protocol_violation' })
  })

  it('with a padded length are refused, because two readers would cut them differently', async () => {
    await expect(decode([Buffer.from([0x81, 0x00, 0x41])])).rejects.toMatchObject({ code: 'protocol_violation' })
  })

  it('that end in the middle are an error', async () => {
    await expect(decode([Buffer.from([5, 1, 2])])).rejects.toThrow('Unexpected end of input')
  })
})
