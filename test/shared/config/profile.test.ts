import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readProfile } from '../../../shared/config/profile.ts'

const PEER = '12D3KooWQ1K7FJPgq8WVqdJMhDnpDXGFKbfpwb3b4BAcn5YJeHUB'
const GOOD = `cluster = "main"
identity = "keys/operator.key"
[primary]
address = "127.0.0.1:7000"
peer_id = "${PEER}"
[[replicas]]
region = "fra"
address = "[::1]:7001"
peer_id = "${PEER}"
`

const folder = mkdtempSync(join(tmpdir(), 'macaroond-profile-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function read(text: string): ReturnType<typeof readProfile> {
  const file = join(folder, 'profile.toml')
  writeFileSync(file, text)
  return readProfile(file)
}

describe('a profile', () => {
  it('is read, with the path of the identity from the folder of the file', () => {
    const node = { address: '127.0.0.1:7000', peer_id: PEER }
    expect(read(GOOD)).toEqual({
      cluster: 'main',
      identity: join(folder, 'keys/operator.key'),
      primary: node,
      replicas: [{ region: 'fra', address: '[::1]:7001', peer_id: PEER }],
    })
  })

  it('may name no replica', () => {
    expect(read(GOOD.slice(0, GOOD.indexOf('[[replicas]]'))).replicas).toEqual([])
  })

  it.each([
    [GOOD.replace('address', 'adress'), /unknown key "primary.adress"|address/, 'address'],
    [`identiti = "x"\n${GOOD}`, /unknown key "identiti"/, 'identity'],
    [GOOD.replace('region', 'regoin'), /replicas\.0/, 'region'],
    [GOOD.replace(PEER, '12D3KooW'), /peer_id/, ''],
    [GOOD.replace('127.0.0.1:7000', 'nowhere'), /host:port/, ''],
    [GOOD.replace('"main"', '"Main!"'), /cluster/, ''],
    ['cluster = ', /profile.toml:1/, 'TOML'],
  ])('that is invalid is refused with the place and a suggestion (%#)', (text, message, hint) => {
    expect(() => read(text)).toThrow(message)
    expect(() => read(text)).toThrow(
      expect.objectContaining({ code: 'config_invalid', hint: expect.stringContaining(hint) }),
    )
  })

  it('that is missing is reported as missing', () => {
    expect(() => readProfile(join(folder, 'nowhere.toml'))).toThrow(
      expect.objectContaining({ code: 'config_unreadable' }),
    )
  })
})
