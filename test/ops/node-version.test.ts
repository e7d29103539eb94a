import { describe, expect, it } from 'vitest'
import { nodeTooOld } from '../../ops/node-version.ts'

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
