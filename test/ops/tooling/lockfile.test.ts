/** `npm ci` must work on a clean machine, without Python or a compiler, with npm 10, 11 and 12: the lockfile decides that. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ROOT } from './project.ts'

interface Locked {
  readonly version?: string
  readonly integrity?: string
  readonly resolved?: string
  readonly license?: string
  readonly dev?: boolean
  readonly gypfile?: boolean
  readonly hasInstallScript?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly allowScripts: Readonly<Record<string, boolean>>
}

const json = (file: string): unknown => JSON.parse(readFileSync(join(ROOT, file), 'utf8'))
const { packages } = json('package-lock.json') as { packages: Readonly<Record<string, Locked>> }
const manifest = json('package.json') as Manifest
const locked = Object.entries(packages).filter(([path]) => path !== '')
const production = locked.filter(([, entry]) => entry.dev !== true)

/** Licences whose terms Apache-2.0 can carry. */
const LICENCES = new Set([
  'MIT',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  '0BSD',
  'Unlicense',
  'BlueOak-1.0.0',
  'CC0-1.0',
])

/** An SPDX expression of OR and AND: any side of an OR will do, every side of an AND must. */
function fits(expression: string): boolean {
  const bare = expression.replaceAll(/[()]/g, '')
  return bare.split(' OR ').some((side) => side.split(' AND ').every((licence) => LICENCES.has(licence.trim())))
}

/** As Node resolves: in the package's own node_modules, then in those of each package above it. */
function isLocked(from: string, name: string): boolean {
  if (packages[`${from}/node_modules/${name}`] !== undefined) return true
  const parent = from.lastIndexOf('/node_modules/')
  return parent === -1 ? packages[`node_modules/${name}`] !== undefined : isLocked(from.slice(0, parent), name)
}

describe('package-lock.json', () => {
  it('says that better-sqlite3 is not built on the machine', () => {
    const hint =
      '`npm install` drops this line: put "gypfile": false back on node_modules/better-sqlite3 in package-lock.json, or npm 10 runs node-gyp'
    expect(packages['node_modules/better-sqlite3']?.gypfile, hint).toBe(false)
  })

  it('records no download address and no registry', () => {
    expect(locked.filter(([, entry]) => entry.resolved !== undefined).map(([path]) => path)).toEqual([])
    expect(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).not.toMatch(/\.tgz|registry\./)
    expect(readFileSync(join(ROOT, '.npmrc'), 'utf8')).toContain('omit-lockfile-registry-resolved=true')
    expect(readFileSync(join(ROOT, '.npmrc'), 'utf8')).not.toMatch(/registry\s*=\s*http/)
  })

  it('records the integrity of everything', () => {
    expect(locked.filter(([, entry]) => !(entry.integrity ?? '').startsWith('sha512-')).map(([path]) => path)).toEqual(
      [],
    )
  })

  it('has every package that an entry asks for on any platform: newer npm refuses it otherwise', () => {
    const missing = locked.flatMap(([path, entry]) =>
      Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })
        .filter((name) => !isLocked(path, name))
        .map((name) => `${path} -> ${name}`),
    )
    expect(missing).toEqual([])
  })

  it('has install scripts only where package.json decides on them', () => {
    const scripts = locked.filter(([, entry]) => entry.hasInstallScript === true).map(([path]) => path)
    const undecided = scripts.filter(
      (path) => manifest.allowScripts[path.replace(/^.*node_modules\//, '')] === undefined,
    )
    // fsevents is for macOS only, and optional; npm skips it elsewhere.
    expect(undecided.filter((path) => !path.endsWith('/fsevents'))).toEqual([])
    // esbuild's program comes in a package of its own for each platform; its script would only look for it.
    expect(manifest.allowScripts).toEqual({ node: true, 'better-sqlite3': false, esbuild: false })
  })

  it('holds no production dependency whose licence does not fit Apache-2.0', () => {
    expect(production.length).toBeGreaterThan(0)
    const misfits = production.filter(([, entry]) => !fits(entry.license ?? 'none'))
    expect(misfits.map(([path, entry]) => `${path}: ${entry.license}`)).toEqual([])
  })

  it('would notice one that does not', () => {
    expect(fits('GPL-3.0-only')).toBe(false)
    expect(fits('MIT AND GPL-3.0-only')).toBe(false)
    expect(fits('(GPL-2.0 OR MIT)')).toBe(true)
  })
})

describe('package.json', () => {
  it('pins every dependency exactly', () => {
    const ranges = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+$/.test(version),
    )
    expect(ranges).toEqual([])
  })
})
