/** What two runs have in common: ids are numbered by their first mention, and times, positions and tokens become words. */
const DROPPED: ReadonlySet<string> = new Set(['node', 'pid', 'txid', 'position'])

export function comparable(value: unknown): unknown {
  const names = new Map<string, string>()
  const named = (kind: string, id: string): string => {
    const known = names.get(id) ?? `${kind} ${names.size}`
    names.set(id, known)
    return known
  }
  const text = JSON.stringify(value, (key, content: unknown) => {
    if (DROPPED.has(key)) return undefined
    if (typeof content === 'number' && content > 1e9) return 'time'
    if (/(?:at|until|ms|issued)$/i.test(key) && typeof content === 'number') return 'number'
    return content
  })
  const plain = text
    .replaceAll(/mcn1_[A-Za-z0-9_~.-]+/g, 'token')
    .replaceAll(/\b[0-9a-f]{16}\.[0-9a-f]{32}\b/g, (id) => named('token', id))
    .replaceAll(/\b[0-9a-f]{64}\b/g, 'key')
    .replaceAll(/\b[0-9a-f]{32}\b/g, 'hash')
    .replaceAll(/\b[0-9a-f]{16}\b/g, (id) => named('key', id))
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'date')
    .replaceAll(/\b1\d{9}(?:\d{3})?\b/g, 'time')
    .replaceAll(/12D3Koo\w+/g, 'peer')
  return JSON.parse(plain)
}
