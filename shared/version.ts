/** The version of this package, read from the package.json that this file belongs to, whether built or run from source. */
import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { assert } from './errors.ts'

function readVersion(): string {
  const path = findPackageJSON(import.meta.url)
  assert(path !== undefined, 'this file is part of a package')
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { readonly version?: unknown }
  assert(typeof version === 'string', 'the package has a version')
  return version
}

export const VERSION: string = readVersion()
