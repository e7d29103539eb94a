/** TypeScript of the pages: compiled as in a strict project of the reader, and run against the sources of this checkout. */
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import type { Block } from './blocks.ts'

export const ROOT: string = join(import.meta.dirname, '../../..')
const run = promisify(execFile)

interface PackageJson {
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>
}

/** The source of each entry of the package, by the name that a reader imports. */
function entries(): readonly (readonly [string, string])[] {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as PackageJson
  return Object.entries(exports).flatMap(([name, target]) =>
    typeof target === 'string'
      ? []
      : [
          [
            name.replace(/^\./, 'macaroond'),
            join(ROOT, target.types.replace('./dist/', '').replace('.d.ts', '.ts')),
          ] as const,
        ],
  )
}

/** Throws with the compiler's errors if a block does not pass `tsc --strict`. Each block is a module of its own. */
export async function compile(blocks: readonly Block[], folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  for (const [index, { file, code }] of blocks.entries()) {
    mkdirSync(join(folder, String(index)))
    writeFileSync(join(folder, String(index), file.replaceAll('/', '-')), code)
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
  const compilerOptions = {
    target: 'es2024',
    lib: ['es2024', 'esnext.disposable'],
    module: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    noEmit: true,
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
    paths: Object.fromEntries(entries().map(([name, source]) => [name, [source]])),
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['**/*.ts'] }))
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  await run(process.execPath, [tsc, '-p', folder]).catch((error: { stdout: string }) => {
    throw new Error(error.stdout)
  })
}

/** Runs a block in `folder`, and returns what it prints. Throws if it fails. */
export async function runSnippet({ file, code }: Block, folder: string): Promise<string> {
  let source = code
  for (const [name, path] of entries())
    source = source.replaceAll(`from '${name}'`, `from '${pathToFileURL(path).href}'`)
  mkdirSync(dirname(join(folder, file)), { recursive: true })
  writeFileSync(join(folder, file), source)
  const { stdout, stderr } = await run(process.execPath, [join(folder, file)], { cwd: folder })
  return stdout + stderr
}
