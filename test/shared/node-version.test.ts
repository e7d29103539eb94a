import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { nodeTooOld } from '../../shared/node-version.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** Makes this Node claim to be an old one before the entry is imported. */
const AS_OLD = `data:text/javascript,Object.defineProperty(process.versions,'node',{value:'20.20.2'})`

function importOnOldNode(entry: string): string {
  const code = `import(${JSON.stringify(join(ROOT, entry))}).then(() => 'imported', ({ code }) => code).then(console.log)`
  const ran = spawnSync(process.execPath, ['--import', AS_OLD, '--input-type=module', '-e', code], { encoding: 'utf8' })
  return ran.stdout.trim() + ran.stderr
}

describe('an entry of the package on an old Node', () => {
  it.each(['shared/library.ts', 'replica/worker/sdk.ts', 'primary/signer/sdk.ts', 'ops/testing/sdk.ts'])(
    '%s is refused when it is imported',
    (entry) => {
      expect(importOnOldNode(entry)).toBe('node_too_old')
    },
  )

  it('shared/holder/holder.ts is imported, because browsers load it too', () => {
    expect(importOnOldNode('shared/holder/holder.ts')).toBe('imported')
  })
})

describe('nodeTooOld', () => {
  it.each(['18.20.8', '20.20.2', '21.99.0', '22.17.9', '0.12.0', ''])('refuses %s', (version) => {
    expect(nodeTooOld(version)?.code).toBe('node_too_old')
  })

  it.each(['22.18.0', '22.20.1', '23.0.0', '24.21.0', '100.0.0', '24.0.0-nightly20260101'])('takes %s', (version) => {
    expect(nodeTooOld(version)).toBeNull()
  })

  it('names both versions and what to do', () => {
    const error = nodeTooOld('20.20.2')
    expect(error?.message).toContain('20.20.2')
    expect(error?.message).toContain('22.18')
    expect(error?.hint).toContain('node --version')
  })
})
