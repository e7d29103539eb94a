import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createIdentityFile, identityFromSeed, loadIdentity } from '../../../shared/channel/identity.ts'
import { parsePeerId } from '../../../shared/channel/peer-id.ts'

let folder = ''
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'identity-'))))
afterEach(() => rm(folder, { recursive: true }))

describe('identity files', () => {
  it('load as the identity that was created', async () => {
    const path = join(folder, 'node.key')
    const created = await createIdentityFile(path)
    const loaded = await loadIdentity(path)
    expect(loaded.peerId).toBe(created.peerId)
    expect(loaded.privateKey.equals(created.privateKey)).toBe(true)
  })

  it('are created with mode 0600 whatever the umask is', async () => {
    const before = process.umask(0o277)
    try {
      await createIdentityFile(join(folder, 'node.key'))
    } finally {
      process.umask(before)
    }
    expect((await stat(join(folder, 'node.key'))).mode & 0o777).toBe(0o600)
  })

  it('are never overwritten, not even through a dangling link', async () => {
    const path = join(folder, 'node.key')
    await createIdentityFile(path)
    const before = await readFile(path, 'utf8')
    await expect(createIdentityFile(path)).rejects.toMatchObject({ code: 'key_exists' })
    expect(await readFile(path, 'utf8')).toBe(before)
    await symlink(join(folder, 'elsewhere'), join(folder, 'link'))
    await expect(createIdentityFile(join(folder, 'link'))).rejects.toMatchObject({ code: 'key_exists' })
  })

  it('are refused when others can read or write them, with the command that corrects it', async () => {
    const path = join(folder, 'node.key')
    await createIdentityFile(path)
    for (const mode of [0o660, 0o604, 0o620, 0o602, 0o644]) {
      await chmod(path, mode)
      await expect(loadIdentity(path)).rejects.toMatchObject({
        code: 'key_permissions',
        hint: expect.stringContaining(`chmod 600 ${path}`),
      })
    }
    await chmod(path, 0o400)
    await expect(loadIdentity(path)).resolves.toBeDefined()
  })

  it('are read with a byte order mark and CRLF, as an editor of Windows leaves them', async () => {
    const path = join(folder, 'windows.key')
    const { peerId } = await createIdentityFile(path)
    const line = (await readFile(path, 'utf8')).trim()
    await writeFile(path, `\ufeff${line}\r\n`)
    await expect(loadIdentity(path)).resolves.toMatchObject({ peerId })
  })

  it('that do not exist are unreadable, and folders are malformed', async () => {
    await expect(loadIdentity(join(folder, 'none'))).rejects.toMatchObject({ code: 'key_unreadable' })
    await expect(loadIdentity(folder)).rejects.toMatchObject({ code: 'key_malformed' })
  })

  it('with any character changed are refused, and the error does not show the seed', async () => {
    const path = join(folder, 'node.key')
    await createIdentityFile(path)
    const good = await readFile(path, 'utf8')
    const seed = good.trim().split(' ')[2] ?? ''
    for (let index = 0; index < good.length - 1; index += 1) {
      const changed = good.slice(0, index) + (good[index] === 'A' ? 'B' : 'A') + good.slice(index + 1)
      await writeFile(path, changed, { mode: 0o600 })
      const error = await loadIdentity(path).catch((caught: unknown) => caught)
      expect(error).toMatchObject({ code: 'key_malformed' })
      expect(JSON.stringify(error) + String(error)).not.toContain(seed.slice(0, 20))
    }
  })

  it('of the wrong size or content are malformed', async () => {
    const path = join(folder, 'node.key')
    for (const content of ['', 'macaroond-identity-1', 'x'.repeat(5000), '-----BEGIN PRIVATE KEY-----\n']) {
      await writeFile(path, content, { mode: 0o600 })
      await expect(loadIdentity(path)).rejects.toMatchObject({ code: 'key_malformed' })
    }
  })
})

describe('a PeerId', () => {
  it('is taken in its canonical Ed25519 form only', async () => {
    const { peerId } = await identityFromSeed(Buffer.alloc(32, 9))
    expect(parsePeerId(peerId)).toBe(peerId)
    const others = [
      '',
      ` ${peerId}`,
      `${peerId} `,
      peerId.slice(0, -1),
      `${peerId.slice(0, -1)}0`,
      'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N',
      'bafzaajaiaejcda3cffiwwhe6r7uo4agwmxgnvsqgyjt3eqeyfubtyi2yozhgn4mz',
      '16Uiu2HAmSoR9sPRhTn7GUwU1kHqAo1dVQCGSWzPwCnwLZZQQZNyG',
    ]
    for (const other of others)
      expect(() => parsePeerId(other)).toThrow(expect.objectContaining({ code: 'request_invalid' }))
  })
})
