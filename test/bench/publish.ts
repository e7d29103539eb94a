/** The nodes and this folder as the published package has them: compiled, so that nothing of a compiler is in memory. */
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const ROOT = join(import.meta.dirname, '../..')

/** Resolves with where this folder's scripts are then. */
export async function publish(outDir: string): Promise<string> {
  mkdirSync(outDir, { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(outDir, 'node_modules'))
  copyFileSync(join(ROOT, 'package.json'), join(outDir, 'package.json'))
  const project = join(outDir, 'tsconfig.json')
  writeFileSync(project, JSON.stringify(projectFor(outDir)))
  await promisify(execFile)(join(ROOT, 'node_modules/.bin/tsc'), ['-p', project])
  return join(outDir, 'test/bench')
}

function projectFor(outDir: string): object {
  // The last has the types of a package that comes without.
  const sources = ['primary', 'replica', 'shared', 'test/bench', 'test/interop/peers/macaroon.d.ts']
  return {
    extends: join(ROOT, 'tsconfig.build.json'),
    compilerOptions: { outDir, rootDir: ROOT, declaration: false, isolatedDeclarations: false },
    include: sources.map((source) => join(ROOT, source)),
    exclude: [join(ROOT, 'test/bench/**/*.test.ts')],
  }
}
