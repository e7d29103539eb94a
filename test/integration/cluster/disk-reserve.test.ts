/** A full disk with somebody who takes every byte that is freed: revocations go on in the reserve, and leases end with it (V8). */
import { type ChildProcess, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'
import type { Signer } from '../../../primary/signer/sdk.ts'
import { FRESHNESS_DEFAULTS } from '../../../shared/freshness/bound.ts'
import { Cluster, closedFile, codeOf, scratch, until } from './harness.ts'
import { canExt4, canMount, named, smallExt4, smallVolume } from './small-volume.ts'

const VOLUME_BYTES = 12 * 1024 * 1024
const RESERVE = {
  disk: { reserve_mb: 0.9 },
  checkpoint: { pages: 100 },
  freshness: { ...FRESHNESS_DEFAULTS, lease_ms: 600, ping_ms: 120 },
}
const TOKENS = 250

/** Writes on as soon as there is room for a byte. */
const THIEF = `
const fs = require('node:fs')
const fd = fs.openSync(process.argv[1], 'w')
const block = Buffer.alloc(4096, 7)
for (let size = 4096; ; ) {
  try { fs.writeSync(fd, block, 0, size); size = 4096 } catch { size = size > 1 ? size >> 1 : 1 }
}`

interface Thief {
  readonly end: () => void
}

function thief(folder: string): Thief {
  const loot = join(folder, 'loot')
  const child: ChildProcess = spawn(process.execPath, ['-e', THIEF, loot], { stdio: 'ignore' })
  const end = (): void => {
    child.kill('SIGKILL')
    rmSync(loot, { force: true })
  }
  onTestFinished(() => void child.kill('SIGKILL'))
  return { end }
}

async function untilRefused(signer: Signer): Promise<string> {
  for (;;) {
    const code = await codeOf(signer.mint({ org: 'acme', subject: 'x' }))
    if (code !== 'no error') return code
  }
}

const alarms = async (cluster: Cluster): Promise<readonly string[]> =>
  (await cluster.primaryStatus()).alarms.map(({ code }) => code)

function audited(folder: string): readonly string[] {
  const db = new Sqlite(join(folder, 'macaroond.db'), { readonly: true })
  const actions = "'disk.full', 'disk.free', 'revocations.blocked', 'revocations.taken'"
  const found = db.prepare(`SELECT DISTINCT action FROM audit WHERE action IN (${actions}) ORDER BY action`)
  const all = found.pluck().all() as string[]
  db.close()
  return all
}

const VOLUMES = {
  tmpfs: { can: canMount, mount: (folder: string) => smallVolume(folder, VOLUME_BYTES) },
  ext4: { can: canExt4, mount: (folder: string) => smallExt4(folder, `${folder}.image`, 2 * VOLUME_BYTES) },
}

for (const [kind, { can, mount }] of Object.entries(VOLUMES)) {
  test.skipIf(!can)(
    `on ${kind}, revocations go on while the disk is full; when they cannot, leases end${named}`,
    async () => {
      const folder = join(scratch(), 'primary')
      mount(folder)
      const cluster = await Cluster.start({ primary: { data: folder, ...RESERVE } })
      const [signer, verifier] = [await cluster.signer(), await cluster.verifier()]
      await signer.createOrg('acme')
      const names = Array.from({ length: TOKENS }, (_, index) => ({ org: 'acme', subject: `s${index}` }))
      const tokens = await Promise.all(names.map((name) => signer.mint(name)))
      await cluster.caughtUp()

      const { end } = thief(folder)
      expect(await untilRefused(signer)).toBe('disk_full')
      expect(await cluster.primaryStatus()).toMatchObject({ writes: 'disk full', disk: { full: true } })
      const revoked: string[] = []
      let refused: string | undefined
      for (const { id, token } of tokens) {
        const code = await codeOf(signer.revoke({ id, wait: 'local' }))
        if (code === 'no error') revoked.push(token)
        else refused = code
        if (refused !== undefined || (await cluster.primaryStatus()).freshness.leaseMs === 0) break
      }
      // Before it is used up, or with the last that found no room, nobody is given a lease any more.
      expect(revoked.length).toBeGreaterThan(10)
      expect(await codeOf(signer.mint({ org: 'acme', subject: 'x' }))).toBe('disk_full')
      await until(async () => (await cluster.primaryStatus()).freshness.leaseMs === 0, 'leases end')
      const last = tokens.at(-1)?.token ?? ''
      const gone = async (): Promise<boolean> => {
        const verdict = await verifier.verify(last, { org: 'acme' })
        return !verdict.ok && verdict.reason === 'unavailable'
      }
      await until(gone, 'the region says unavailable')
      expect(await alarms(cluster)).toEqual(
        expect.arrayContaining(['disk_full', 'disk_reserve_low', 'revocations_blocked']),
      )

      end()
      await until(async () => (await alarms(cluster)).length === 0, 'all is well again')
      expect(await codeOf(signer.mint({ org: 'acme', subject: 'x' }))).toBe('no error')
      await cluster.caughtUp()
      await until(async () => (await verifier.verify(last, { org: 'acme' })).ok, 'the region accepts again')
      for (const token of revoked) expect(await verifier.verify(token, { org: 'acme' })).toMatchObject({ ok: false })
      const all = ['disk.free', 'disk.full', 'revocations.blocked', 'revocations.taken']
      await until(() => audited(folder).length === all.length, 'begin and end are audited')
      expect(audited(folder)).toEqual(all)
      await cluster.stop()
      expect(closedFile(cluster.replicaFolder()).equals(closedFile(folder))).toBe(true)
    },
    60_000,
  )
}
