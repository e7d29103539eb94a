import { crc32 } from 'node:zlib'

/** Length, CRC-32 and what follows, record by record, as far as the lengths lead. */
export function mendRecords(
  input: Buffer,
  { magic, header }: { readonly magic: number; readonly header: number },
): Buffer {
  const copy = Buffer.from(input)
  for (let at = 0; at + header <= copy.length;) {
    const end = at + header + copy.readUInt32BE(at + magic)
    if (end > copy.length) break
    copy.writeUInt32BE(crc32(copy.subarray(at + header, end)), at + magic + 4)
    at = end
  }
  return copy
}
