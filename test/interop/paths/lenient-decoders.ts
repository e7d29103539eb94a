/**
 * Decoders as lenient as servers, file systems and databases were ever seen to be. Nothing is refused. Texts are bytes, one a
 * character (Latin-1).
 */
import { posix } from 'node:path'
import type { Decoder } from './decoder.ts'

export const lenientDecoders: Decoder = async (paths) => paths.map((path) => lenientReadings(path).flatMap(placesOf))

/** What one lenient step makes of a path, before segments are resolved. */
export function lenientReadings(path: string): readonly string[] {
  const decoded = percentDecoded(path)
  const ascii = overlongDecoded(decoded)
  return [decoded, ascii, unicodeEscapesDecoded(path), ...[decoded, path].flatMap(folded)]
}

/** Where segments lead to, with and without what is dropped or cut off first. */
export function placesOf(path: string): readonly string[] {
  const plain = path
    .replaceAll('\\', '/')
    .replaceAll(/[\t\r\n]/g, '')
    .replace(/[?#\0].*$/s, '')
  const bare = plain.replaceAll(/;[^/]*/g, '').replaceAll(/ +(?=\/|$)/g, '')
  return [path, plain, bare].map((text) => posix.normalize(text))
}

/** Byte by byte; a percent sign that begins no escape stands for itself. */
function percentDecoded(path: string): string {
  return path.replaceAll(/%([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
}

/** IIS's `%u002e`. */
function unicodeEscapesDecoded(path: string): string {
  return path.replaceAll(/%u([0-9a-f]{4})/gi, (_, digits: string) => {
    const code = Number.parseInt(digits, 16)
    return code < 0x80 ? String.fromCharCode(code) : Buffer.from(String.fromCharCode(code)).toString('latin1')
  })
}

/** UTF-8 by its bits alone: ASCII in two to six bytes is ASCII, and the eighth bit of a lone byte is dropped. */
function overlongDecoded(path: string): string {
  const sequence =
    /[\xc0-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf7][\x80-\xbf]{3}|[\xf8-\xfb][\x80-\xbf]{4}|[\xfc\xfd][\x80-\xbf]{5}/g
  const decoded = path.replaceAll(sequence, (bytes) => {
    const [lead = 0, ...rest] = Buffer.from(bytes, 'latin1')
    const leadBits = lead & (0x7f >> bytes.length)
    const code = rest.reduce((sum, byte) => sum * 64 + (byte & 0x3f), leadBits)
    return code < 0x80 ? String.fromCharCode(code) : bytes
  })
  const isText = Buffer.from(Buffer.from(decoded, 'latin1').toString('utf8')).equals(Buffer.from(decoded, 'latin1'))
  return isText ? decoded : decoded.replaceAll(/[\x80-\xff]/g, (byte) => String.fromCharCode(byte.charCodeAt(0) & 0x7f))
}

/** As names are compared where case, width and what is invisible make no difference. */
function folded(path: string): readonly string[] {
  const text = Buffer.from(path, 'latin1').toString('utf8')
  const visible = text.replaceAll(/\p{Default_Ignorable_Code_Point}/gu, '')
  return [text.normalize('NFKC'), visible, visible.normalize('NFKC')].map((form) =>
    Buffer.from(form).toString('latin1'),
  )
}
