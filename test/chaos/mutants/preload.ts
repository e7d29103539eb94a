/** Plants one bug while the modules of a node are loaded (`node --import`): the program itself has no switch for it. */
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Mutant, MUTANT_VARIABLE, planted } from './mutant.ts'

const text = process.env[MUTANT_VARIABLE]
if (text !== undefined && text !== '') {
  const mutant = JSON.parse(text) as Mutant
  const target = pathToFileURL(join(import.meta.dirname, '../../..', mutant.file)).href
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context)
      if (url !== target) return loaded
      const source = loaded.source instanceof Uint8Array ? new TextDecoder().decode(loaded.source) : loaded.source
      if (typeof source !== 'string') throw new Error(`no source text of ${url}`)
      return { ...loaded, source: planted(source, mutant) }
    },
  })
}
