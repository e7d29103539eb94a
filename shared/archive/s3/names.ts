/**
 * Names in a bucket. litestream calls the levels otherwise there than in a directory: `<folder>/0000/<file>` for what is
 * `ltx/0/<file>` with us. Everything else has our name, below the same folder.
 */

const LEVEL = /^ltx\/(\d)(?=\/|$)/
const LEVELS = '000'

/** Of a key, or of a prefix of keys. */
export function objectName(folder: string, key: string): string {
  if (key === 'ltx/') return `${folder}/${LEVELS}`
  return `${folder}/${key.replace(LEVEL, `${LEVELS}$1`)}`
}

/** Undefined for what is not below the folder. */
export function keyOf(folder: string, name: string): string | undefined {
  if (!name.startsWith(`${folder}/`)) return undefined
  return name.slice(folder.length + 1).replace(/^000(\d)\//, 'ltx/$1/')
}
