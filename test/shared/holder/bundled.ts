/** `macaroond/holder` as a bundler of a web page makes it. */
import { fileURLToPath } from 'node:url'
import { build, type Metafile } from 'esbuild'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

export interface Bundled {
  readonly code: string
  readonly inputs: Metafile['inputs']
}

/** Bundles `source`, whose imports are relative to the root. A module of Node in it is an error: no page could load it. */
export async function bundled(source: string, format: 'esm' | 'iife'): Promise<Bundled> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: source, resolveDir: ROOT, loader: 'ts' },
    bundle: true,
    minify: true,
    format,
    platform: 'browser',
    target: 'es2024',
    legalComments: 'none',
    write: false,
    metafile: true,
    logLevel: 'silent',
  })
  return { code: outputFiles[0]?.text ?? '', inputs: metafile.inputs }
}

export const ENTRY = './shared/holder/holder.ts'

/** A script that leaves `answersOf(cases)` in the global object. */
export const ANSWERING: string = `
  import * as holder from '${ENTRY}'
  import { answersOf } from './test/shared/holder/case.ts'
  globalThis.answersOf = (cases) => answersOf(holder, cases)
`
