/**
 * Reads the few kinds of documents that S3 sends: nested elements with text, whose attributes do not matter. Elements are found
 * by name, because stores differ in their order. An element that was cut off has no end tag, so it is not found.
 */

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
])

/** Contents of each `<name>…</name>`, in order. Elements of one name do not nest in these documents. */
export function elements(xml: string, name: string): readonly string[] {
  const found: string[] = []
  // The pattern excludes `<`, because a document of opening tags only would otherwise take quadratic time.
  const opening = new RegExp(`<${name}(?:\\s[^<>]*)?>`, 'g')
  const closing = `</${name}>`
  for (let match = opening.exec(xml); match !== null; match = opening.exec(xml)) {
    const end = xml.indexOf(closing, opening.lastIndex)
    if (end < 0) return found
    found.push(xml.slice(opening.lastIndex, end))
    opening.lastIndex = end + closing.length
  }
  return found
}

/** Text of the first element of that name; undefined if there is none. */
export function textOf(xml: string, name: string): string | undefined {
  const [first] = elements(xml, name)
  return first === undefined ? undefined : unescapeXml(first.trim())
}

function unescapeXml(text: string): string {
  return text.replaceAll(/&(?:#(\d{1,7})|#x([0-9A-Fa-f]{1,6})|([a-z]+));/g, (whole, decimal, hex, name) => {
    const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
    if (code <= 0x10_ff_ff) return String.fromCodePoint(code)
    return ENTITIES.get(String(name)) ?? whole
  })
}

export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
