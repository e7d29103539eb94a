/**
 * Judges and compares paths exactly as a request has them. Servers and proxies disagree on what they decode, merge and
 * resolve. A path that any of them could resolve to another place is therefore refused, and never normalised.
 *
 * A path is decoded repeatedly until decoding no longer changes it, and every form on the way is judged. A server that decodes
 * less in one round, or in another order, reaches the same last form, and the dots and slashes that it produced are in it.
 */

/** A percent-encoded dot, slash, backslash or NUL, and `%uXXXX`, which some servers decode. */
const ENCODED_SEPARATOR = /%(?:2e|2f|5c|00|u[0-9a-f]{4})/i
/**
 * A segment `.` or `..`, also with a part that some server strips before it resolves the segment: path parameters (`..;x`),
 * an encoded query (`..%3fx`), or white space (WHATWG URL, section 4.4), which form decoding also reads from `+`.
 */
const DOT_SEGMENT = /\/[\s+]*\.{1,2}[\s+]*(?:$|[/;?#])/u
/** A query or a fragment begins with these. If encoded, they are characters of a name. */
const QUERY_OR_FRAGMENT = /[?#]/
/** A percent sign without two hex digits. It is refused in the path itself; after decoding it may be part of a name. */
const STRAY_PERCENT = /%(?![0-9a-f]{2})/i
/** URL parsers drop tabs and line breaks, stop at a NUL, and may read a backslash as a slash. */
const FORBIDDEN = /[\\\p{Cc}]/u
/**
 * The overlong UTF-8 of `%`, `.` and `/` (RFC 3629, section 10), read as Latin-1: `À¥`, `À®`, `À¯`. Node's `req.url` has raw
 * bytes of a request in this form. No name is likely to contain them.
 */
const OVERLONG_LATIN1 = /\u00c0[\u00a5\u00ae\u00af]/
/** Invisible characters, which file systems and databases may drop. */
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/gu
/**
 * Short pieces, because NFKD sorts a run of combining marks in a time that grows with its square. The order of marks, and of
 * marks in different pieces, decides nothing here.
 */
const BEYOND_ASCII = /\P{ASCII}{1,16}/gu
/** Characters that are neither ASCII nor white space decide nothing. One letter may decompose into 18 of them (U+FDFA). */
const OTHER_LETTERS = /[^\p{ASCII}\s]+(?: [^\p{ASCII}\s]+)*/gu
const ESCAPES = /(?:%[0-9a-f]{2})+/gi

/** Most paths fit this pattern, and need no further check. */
const SIMPLE = /^(?:\/[\w~-][\w~.-]*)+\/?$/

/** A name may contain an encoded percent sign. A path that is encoded more often than this is refused. */
const DECODINGS_MAX = 8

/** True for an absolute path that names the same place for every server, however often the server decodes it. */
export function isPlainPath(path: string): boolean {
  if (SIMPLE.test(path)) return true
  if (!path.startsWith('/') || !path.isWellFormed()) return false
  if (QUERY_OR_FRAGMENT.test(path) || STRAY_PERCENT.test(path)) return false
  const slashes = slashesOf(path)
  const isPlain = (text: string): boolean =>
    slashesOf(text) === slashes &&
    !FORBIDDEN.test(text) &&
    !DOT_SEGMENT.test(text) &&
    !ENCODED_SEPARATOR.test(text) &&
    !OVERLONG_LATIN1.test(text)
  let form = path
  for (let more = DECODINGS_MAX; more > 0; more -= 1) {
    const folded = foldedForm(form)
    if (!isPlain(form) || !isPlain(folded)) return false
    const decoded = percentDecoded(folded)
    if (decoded === folded) return true
    if (decoded === undefined) return false
    form = decoded
  }
  return false
}

function slashesOf(text: string): number {
  let count = 0
  for (let at = text.indexOf('/'); at !== -1; at = text.indexOf('/', at + 1)) count += 1
  return count
}

/**
 * Decomposes compatibility characters (a full-width dot becomes a dot) and drops invisible ones. NFKD yields the same dots,
 * slashes and percent signs as NFKC, and does not merge a letter of an escape with an accent that follows it.
 */
function foldedForm(text: string): string {
  return text.replaceAll(BEYOND_ASCII, (piece) =>
    piece.normalize('NFKD').replaceAll(IGNORABLE, '').replaceAll(OTHER_LETTERS, 'x'),
  )
}

/** Undefined if an escape is not UTF-8, or overlong: some decoders read `%c0%af` as a slash (RFC 3629, section 10). */
function percentDecoded(text: string): string | undefined {
  try {
    return text.replaceAll(ESCAPES, (escapes) => decodeURIComponent(escapes))
  } catch {
    return undefined
  }
}

/** Compares whole segments: `/a` covers `/a` and `/a/b`, `/a/` covers only the paths below it, and neither covers `/ab`. */
export function liesUnder(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false
  return prefix.endsWith('/') || path.length === prefix.length || path[prefix.length] === '/'
}
