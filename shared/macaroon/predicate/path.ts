/**
 * Paths, compared as they stand in a request. Servers and proxies disagree on what they decode, merge and resolve, so a
 * path that any of them could resolve to another place is refused instead of being normalised here in yet another way.
 */

/** Percent-encoded dot, slash, backslash or NUL, however often the percent sign was encoded itself. */
const ENCODED_SEPARATOR = /%(?:25)*(?:2e|2f|5c|00)/i
/**
 * A segment `.` or `..`, also with path parameters behind it (`..;x`), which some servers strip first, or with white
 * space: URL parsers trim it off the end before they resolve the segment (WHATWG URL, 4.4).
 */
const DOT_SEGMENT = /\/\.{1,2}\s*(?:$|[/;])/u
/** Query and fragment begin here, and are not path. Encoded they are characters of a name. */
const QUERY_OR_FRAGMENT = /[?#]/
/** URL parsers drop tabs and line breaks, end at a NUL, and may take a backslash for a slash. */
const FORBIDDEN = /[\\\p{Cc}]/u

/** What most paths are: nothing in it needs a second look. */
const SIMPLE = /^(?:\/[\w~-][\w~.-]*)+\/?$/

/** True for an absolute path that names the same place to everybody. */
export function isPlainPath(path: string): boolean {
  if (SIMPLE.test(path)) return true
  if (!path.startsWith('/') || !path.isWellFormed()) return false
  if (ENCODED_SEPARATOR.test(path) || QUERY_OR_FRAGMENT.test(path) || !isPlain(path)) return false
  const decoded = percentDecoded(path)
  return decoded !== undefined && isPlain(decoded)
}

function isPlain(path: string): boolean {
  return !FORBIDDEN.test(path) && !DOT_SEGMENT.test(path)
}

/** Undefined for a stray percent sign and for overlong UTF-8 (`%c0%af` was a slash to some decoders). */
function percentDecoded(path: string): string | undefined {
  if (!path.includes('%')) return path
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}

/** Whole segments only: `/a` holds `/a` and `/a/b`, `/a/` holds what is below it; neither holds `/ab`. */
export function liesUnder(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false
  return prefix.endsWith('/') || path.length === prefix.length || path[prefix.length] === '/'
}
