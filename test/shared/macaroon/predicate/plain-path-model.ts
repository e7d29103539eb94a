/** The rule for plain paths in its shortest form: every text is folded as a whole. Slow where many combining marks follow. */

const ENCODED_SEPARATOR = /%(?:2e|2f|5c|00|u[0-9a-f]{4})/i
const DOT_SEGMENT = /\/[\s+]*\.{1,2}[\s+]*(?:$|[/;?#])/u
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/gu
const DECODINGS_MAX = 8

export function isPlainByModel(path: string): boolean {
  if (!path.startsWith('/') || !path.isWellFormed() || /[?#]/.test(path) || /%(?![0-9a-f]{2})/i.test(path)) return false
  const slashes = path.split('/').length
  const isFine = (text: string): boolean =>
    text.split('/').length === slashes &&
    !/[\\\p{Cc}]/u.test(text) &&
    !DOT_SEGMENT.test(text) &&
    !ENCODED_SEPARATOR.test(text) &&
    !/À[¥®¯]/.test(text)
  return isFixedAndFine(path, isFine, DECODINGS_MAX)
}

function isFixedAndFine(form: string, isFine: (text: string) => boolean, more: number): boolean {
  const folded = form.normalize('NFKD').replaceAll(IGNORABLE, '')
  if (more === 0 || !isFine(form) || !isFine(folded)) return false
  const decoded = decodedOnce(folded)
  return decoded === folded || (decoded !== undefined && isFixedAndFine(decoded, isFine, more - 1))
}

function decodedOnce(text: string): string | undefined {
  try {
    return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (escapes) => decodeURIComponent(escapes))
  } catch {
    return undefined
  }
}
