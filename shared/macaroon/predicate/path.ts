/**
 * Paths, compared as they stand in a request. Servers and proxies disagree on what they decode, merge and resolve, so a
 * path that any of them could resolve to another place is refused instead of being normalised here in yet another way.
 *
 * A path is judged in every form that it takes while it is decoded again and again, up to the one that decoding changes no
 * more. A decoder that does only a part of a round, or rounds in another order, ends in that same form: a dot or a slash that
 * it makes on the way is still there.
 */

/** Percent-encoded dot, slash, backslash or NUL, and `%u002e`, which some servers decode. */
const ENCODED_SEPARATOR = /%(?:2e|2f|5c|00|u[0-9a-f]{4})/i
/**
 * A segment `.` or `..`, also with something around it that is stripped somewhere before the segment is resolved: path
 * parameters (`..;x`), a query that was encoded (`..%3fx`), or white space (WHATWG URL, 4.4), which decoders of forms write `+`.
 */
const DOT_SEGMENT = /\/[\s+]*\.{1,2}[\s+]*(?:$|[/;?#])/u
/** Query and fragment begin here, and are not path. Encoded they are characters of a name. */
const QUERY_OR_FRAGMENT = /[?#]/
/** In a later round a percent sign may be a character of a name. */
const STRAY_PERCENT = /%(?![0-9a-f]{2})/i
/** URL parsers drop tabs and line breaks, end at a NUL, and may take a backslash for a slash. */
const FORBIDDEN = /[\\\p{Cc}]/u
/** Nobody sees them, and file systems and databases may drop them. */
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/gu
const ESCAPES = /(?:%[0-9a-f]{2})+/gi

/** What most paths are: nothing in it needs a second look. */
const SIMPLE = /^(?:\/[\w~-][\w~.-]*)+\/?$/

/** A name may have a percent sign in it, encoded; one encoded more often than this is there to be decoded by somebody. */
const DECODINGS_MAX = 8

/** True for an absolute path that names the same place to everybody, however often they decode it. */
export function isPlainPath(path: string): boolean {
  if (SIMPLE.test(path)) return true
  if (!path.startsWith('/') || !path.isWellFormed()) return false
  if (QUERY_OR_FRAGMENT.test(path) || STRAY_PERCENT.test(path)) return false
  const slashes = slashesOf(path)
  const isPlain = (text: string): boolean =>
    slashesOf(text) === slashes && !FORBIDDEN.test(text) && !DOT_SEGMENT.test(text) && !ENCODED_SEPARATOR.test(text)
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
 * Compatibility characters taken apart (a full-width dot is a dot), and nothing that is invisible. NFKD instead of NFKC: it
 * makes the same dots, slashes and percent signs, and hides no letter of an escape in an accented one.
 */
function foldedForm(text: string): string {
  return text.normalize('NFKD').replaceAll(IGNORABLE, '')
}

/** Undefined for what is not UTF-8, overlong forms included: `%c0%af` was a slash to some decoders (RFC 3629, 10). */
function percentDecoded(text: string): string | undefined {
  try {
    return text.replaceAll(ESCAPES, (escapes) => decodeURIComponent(escapes))
  } catch {
    return undefined
  }
}

/** Whole segments only: `/a` holds `/a` and `/a/b`, `/a/` holds what is below it; neither holds `/ab`. */
export function liesUnder(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false
  return prefix.endsWith('/') || path.length === prefix.length || path[prefix.length] === '/'
}
