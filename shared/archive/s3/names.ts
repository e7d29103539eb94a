/**
 * Maps keys to names in a bucket. litestream names levels differently there: our key `ltx/0/<file>` is `<folder>/0000/<file>`.
 * All other keys stay the same, below the same folder.
 */

const LEVEL = /^ltx\/(\d)(?=\/|$)/
const LEVELS = '000'

/** Name for a key, or for a prefix of keys. */
export function objectName(folder: string, key: string): string {
  if (key === 'ltx/') return `${folder}/${LEVELS}`
  return `${folder}/${key.replace(LEVEL, `${LEVELS}$1`)}`
}

/** Returns undefined if the name is not below the folder. */
export function keyOf(folder: string, name: string): string | undefined {
  if (!name.startsWith(`${folder}/`)) return undefined
  return name.slice(folder.length + 1).replace(/^000(\d)\//, 'ltx/$1/')
}
