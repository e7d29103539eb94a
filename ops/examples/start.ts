/** `npm run -s example NAME`: starts one of the examples beside this file. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

// The names come from the folder, so an example needs no entry in a list.
const [name = ''] = process.argv.slice(2)
const names = readdirSync(import.meta.dirname).filter((entry) =>
  existsSync(join(import.meta.dirname, entry, 'main.ts')),
)

if (names.includes(name)) {
  await import(`./${name}/main.ts`)
} else {
  process.stderr.write(`usage: npm run -s example NAME [-- --json]\n  NAME is one of ${names.join(', ')}\n`)
  process.exitCode = 2
}
