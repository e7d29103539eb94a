/** A full disk, on a small file system of its own: needs root, and says so by its name where there is none. */
import { readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Signer } from '../../../primary/signer/sdk.ts'
import type { MintResult } from '../../../shared/protocol/sign.ts'
import { Cluster, closedFile, codeOf, identityOf, scratch, until } from './harness.ts'
import { canMount, named, smallVolume } from './small-volume.ts'

const VOLUME_BYTES = 4 * 1024 * 1024

/** Takes all that is left but `keep` bytes; returns what gives it back. */
function fill(folder: string, keep: number): () => void {
  const ballast = join(folder, `ballast-${keep}`)
  const { bavail, bsize } = statfsSync(folder)
  writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - keep), 1))
  return () => rmSync(ballast)
}

const SUBJECT = 's'.repeat(255)

/** Mints groups until one is refused; what was acknowledged before, and the code of the refusals. */
async function mintUntilRefused(signer: Signer): Promise<{ acknowledged: MintResult[]; codes: string[] }> {
  const acknowledged: MintResult[] = []
  const codes = new Set<string>()
  for (let round = 0; round < 400 && codes.size === 0; round += 1) {
    const group = Array.from({ length: 100 }, () => signer.mint({ org: 'acme', subject: SUBJECT, ttlSeconds: 0 }))
    for (const result of await Promise.allSettled(group)) {
      if (result.status === 'fulfilled') acknowledged.push(result.value)
      else codes.add((result.reason as { code: string }).code)
    }
  }
  return { acknowledged, codes: [...codes] }
}

async function hasFailed(cluster: Cluster): Promise<boolean> {
  return Promise.race([cluster.primary.failed.then(() => true), Promise.resolve(false)])
}

const SMALL_WAL = { checkpoint: { pages: 100 } }

/** On the data volume enough for a WAL that is due for a checkpoint, and not for what the checkpoint adds to the database. */
const ROOM_BYTES = { data: 600_000, log: 150_000 }

/**
 * The code of the first refusal, without a reserve. A write that the database has no room for was not done; one that the log has
 * no room for is committed already. From then on the disk counts as full.
 */
const REFUSED_WITH = { data: 'disk_full', log: 'outcome_unknown' }

function expectRefusal(full: keyof typeof REFUSED_WITH, [first, ...later]: readonly string[]): void {
  expect(first).toBe(REFUSED_WITH[full])
  for (const code of later) expect(code).toBe('disk_full')
}

/** The volume that runs full. The log has a volume of its own in both cases, so only one of the two files lacks room. */
function volumeOf(full: keyof typeof REFUSED_WITH, folder: string): string {
  const data = full === 'data' ? smallVolume(folder, VOLUME_BYTES) : folder
  const log = smallVolume(join(folder, 'log'), full === 'data' ? 4 * VOLUME_BYTES : VOLUME_BYTES)
  return full === 'data' ? data : log
}

const NO_RESERVE = { disk: { reserve_mb: 0 } }

for (const full of ['data', 'log'] as const) {
  test.skipIf(!canMount)(
    `a primary whose ${full} volume is full refuses writes and loses nothing${named}`,
    async () => {
      const folder = join(scratch(), 'primary')
      const volume = volumeOf(full, folder)
      const cluster = await Cluster.start({ primary: { data: folder, ...SMALL_WAL, ...NO_RESERVE } })
      const signer = await cluster.signer()
      const verifier = await cluster.verifier()
      await signer.createOrg('acme')
      const first = await signer.mint({ org: 'acme', subject: 'first' })
      const free = fill(volume, ROOM_BYTES[full])
      const { acknowledged, codes } = await mintUntilRefused(signer)
      const freeRest = fill(volume, 0)
      expectRefusal(full, codes)
      expect(acknowledged.length).toBeGreaterThan(20)
      expect((await mintUntilRefused(signer)).codes).toEqual(['disk_full'])
      expect(await verifier.verify(first.token, { org: 'acme' })).toMatchObject({ ok: true })
      expect((await signer.listOrgs()).orgs).toHaveLength(1)
      if (full === 'log') expect((await cluster.primaryStatus()).writes).toBe('disk full')
      expect(await hasFailed(cluster)).toBe(false)

      free()
      freeRest()
      const writes = async (): Promise<boolean> =>
        (await codeOf(signer.mint({ org: 'acme', subject: 'after' }))) === 'no error'
      await until(writes, 'writes go on')
      await cluster.caughtUp()
      expect(await verifier.verify(acknowledged.at(-1)?.token ?? '', { org: 'acme' })).toMatchObject({ ok: true })
      const records = await Promise.all(acknowledged.map(({ id }) => signer.revoke({ id, wait: 'local' })))
      expect(new Set(records.map(({ matched }) => matched))).toEqual(new Set(['recorded']))
      await cluster.caughtUp()
      await cluster.stop()
      expect(closedFile(cluster.replicaFolder()).equals(closedFile(folder))).toBe(true)
    },
  )

  test.skipIf(!canMount)(
    `a primary stopped while its ${full} volume is full starts again with everything${named}`,
    async () => {
      const folder = join(scratch(), 'primary')
      const volume = volumeOf(full, folder)
      const cluster = await Cluster.start({ primary: { data: folder, ...SMALL_WAL, ...NO_RESERVE } })
      const signer = await cluster.signer()
      await signer.createOrg('acme')
      const free = fill(volume, ROOM_BYTES[full])
      const { acknowledged, codes } = await mintUntilRefused(signer)
      expectRefusal(full, codes)
      await cluster.stopPrimary()
      free()
      await cluster.startPrimary()
      await until(() => cluster.primary.writes === 'open', 'writes are open again')
      // What was committed and not logged was still in the WAL: the log goes on without a gap.
      expect(readdirSync(join(folder, 'log')).filter((name) => name.startsWith('aside'))).toEqual([])
      const { id } = acknowledged.at(-1) ?? { id: '' }
      expect(await (await cluster.signer()).revoke({ id })).toMatchObject({
        matched: 'recorded',
        durability: 'replica',
      })
      await cluster.caughtUp()
      await cluster.stop()
      expect(closedFile(cluster.replicaFolder()).equals(closedFile(folder))).toBe(true)
    },
  )
}

test.skipIf(!canMount)(
  `a replica on a full disk goes on verifying, and catches up when there is space${named}`,
  async () => {
    const data = smallVolume(join(scratch(), 'fra'), VOLUME_BYTES)
    const cluster = await Cluster.start({ replica: { data, ...SMALL_WAL } })
    const signer = await cluster.signer()
    const verifier = await cluster.verifier()
    await signer.createOrg('acme')
    const token = await signer.mint({ org: 'acme', subject: 'first' })
    await cluster.caughtUp()
    const free = fill(data, 100_000)
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(Array.from({ length: 100 }, () => signer.mint({ org: 'acme', subject: SUBJECT })))
    }
    const saysFull = async (): Promise<boolean> =>
      /ENOSPC|FULL|SHMSIZE/.test((await cluster.replicaStatus()).wal.error ?? '')
    await until(saysFull, 'the replica says that its disk is full')
    const freeRest = fill(data, 0)
    expect(await verifier.verify(token.token, { org: 'acme' })).toMatchObject({
      ok: true,
      node: identityOf('fra').peerId,
    })
    // It refuses at once, although it may have no room to write that down; then it acknowledges nothing.
    const revoked = codeOf(signer.revoke({ id: token.id }))
    await until(async () => !(await verifier.verify(token.token, { org: 'acme' })).ok, 'the replica refuses the token')
    expect(['no error', 'position_unreached']).toContain(await revoked)

    free()
    freeRest()
    await cluster.caughtUp()
    await cluster.stop()
    expect(closedFile(data).equals(closedFile(cluster.primaryFolder))).toBe(true)
  },
)
