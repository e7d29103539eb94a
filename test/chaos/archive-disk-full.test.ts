/**
 * Small file systems that fill up: under the archive of a primary, and where a restore is to put its result. `CHAOS_EVIDENCE`
 * names the file that what was seen is added to.
 */
import { readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { expect, onTestFailed, onTestFinished, test } from 'vitest'
import type { Signer } from '../../primary/signer/sdk.ts'
import type { ArchiveStatus } from '../../shared/protocol/status.ts'
import { keepEvidence } from '../evidence/file.ts'
import { NOTHING_COUNTED, rounded } from '../evidence/record.ts'
import { macaroond } from '../integration/cli/command.ts'
import { canMount, named, smallVolume } from '../integration/cluster/small-volume.ts'
import { Authority, scratch } from '../recovery/archive/authority.ts'
import { outputOf, runRestore } from './archive/restore-process.ts'
import { Cluster } from './cluster.ts'

const { CI } = process.env
const ORG = 'acme'
const VOLUME_BYTES = 1024 * 1024
const READY_MS = 30_000
const POLL_MS = 100
const TIMEOUT_MS = 120_000

test('small file systems can be mounted', () => {
  if (!canMount) console.log('nothing can be mounted here: no disk was full')
  expect(canMount || CI === undefined, 'CI mounts file systems').toBe(true)
})

function keep(volumes: number, startedMs: number): void {
  keepEvidence({
    t: 'processes',
    suite: 'whose archive or restore has no room',
    runs: 1,
    wallSeconds: rounded((performance.now() - startedMs) / 1_000),
    counts: NOTHING_COUNTED,
    faults: { 'disk full': volumes },
    violations: [],
    worst: 0,
  })
}

/** All the room but that of a few files; what it returns gives it back. */
function fill(volume: string): () => void {
  const { bavail, bsize } = statfsSync(volume)
  const path = join(volume, 'filler')
  writeFileSync(path, Buffer.alloc(Math.max(0, bavail - 4) * bsize))
  return () => rmSync(path)
}

async function archiveOf(cluster: Cluster): Promise<ArchiveStatus> {
  const { archive } = await cluster.primaryStatus()
  if (archive === null) throw new Error('nothing is archived')
  return archive
}

async function untilArchive(cluster: Cluster, condition: (archive: ArchiveStatus) => boolean): Promise<ArchiveStatus> {
  for (;;) {
    const archive = await archiveOf(cluster)
    if (condition(archive)) return archive
    await setTimeout(POLL_MS)
  }
}

async function mint(signer: Signer, count: number): Promise<void> {
  for (let number = 0; number < count; number += 1) await signer.mint({ org: ORG, subject: `alice-${number}` })
}

test.skipIf(!canMount)(
  `a primary whose archive has no room writes on, reports the stall, and catches up later${named}`,
  { timeout: TIMEOUT_MS },
  async () => {
    const startedMs = performance.now()
    const volume = smallVolume(join(scratch(), 'volume'), VOLUME_BYTES)
    const archive = join(volume, 'archive')
    const primarySettings = `[archive]\nto = "${archive}"\nupload_every_ms = 20\nlate_seconds = 5\n`
    const cluster = await Cluster.create({ replicas: [], primarySettings })
    let failed = false
    onTestFailed(() => void (failed = true))
    onTestFinished(() => cluster.remove(failed))
    const node = cluster.start(cluster.primary)
    expect(await node.ready(READY_MS), node.log.join('\n')).toBe(true)
    const signer = await cluster.signer()
    await signer.createOrg(ORG)
    await mint(signer, 5)
    const before = await untilArchive(cluster, ({ lag }) => lag === 0)
    expect(before.alerts).toEqual([])

    const free = fill(volume)
    await mint(signer, 40)
    const stalled = await untilArchive(cluster, ({ alerts }) => alerts.some((alert) => alert.includes('ENOSPC')))
    expect(stalled.lag).toBeGreaterThan(0)
    expect((await cluster.primaryStatus()).writes).toBe('open')
    // Everything is still taken, and the archive still has what it said it has.
    const acknowledged = await signer.mint({ org: ORG, subject: 'bob' })
    expect((await archiveOf(cluster)).position).not.toBe(acknowledged.position)
    const { authorityKey } = await cluster.primaryStatus()
    const verify = ['archive', 'verify', '--archive', archive, '--key', authorityKey, '--json']
    const meanwhile = await macaroond(verify)
    expect(meanwhile.json(), meanwhile.stderr).toMatchObject({ ok: true, bad: [] })

    free()
    const after = await untilArchive(cluster, ({ lag }) => lag === 0)
    expect(after.alerts).toEqual([])
    expect(after.position).toBe((await cluster.primaryStatus()).position)
    const verified = await macaroond(verify)
    expect(verified.json(), verified.stderr).toMatchObject({ ok: true, bad: [], position: after.position })
    // Every transaction by itself, those of the stall included.
    const levels = readdirSync(join(archive, 'ltx/0')).filter((name) => !name.startsWith('.tmp-'))
    expect(levels.length).toBeGreaterThanOrEqual(46)
    keep(1, startedMs)
  },
)

test.skipIf(!canMount)(
  `a restore to a file system that is too small says so and leaves nothing behind${named}`,
  { timeout: TIMEOUT_MS },
  async () => {
    const startedMs = performance.now()
    const authority = await Authority.create()
    await authority.claim()
    for (let number = 0; number < 4; number += 1) {
      authority.grow(120)
      authority.revoke(number.toString(16).padStart(48, '0'))
    }
    await authority.upload()
    const source = { archive: authority.archive, key: Buffer.from(authority.key.publicKey).toString('hex'), txid: 6 }
    const room = scratch()
    let whole = 0
    const kilobytes = [64, 480, 640, 4_000]
    for (const size of kilobytes) {
      const volume = smallVolume(join(room, `of-${size}`), size * 1024)
      const { status, stdout, stderr } = await runRestore({ ...source, folder: volume })
      const names = readdirSync(volume)
      if (status === 0) {
        whole += 1
        expect(names, `${size} KiB`).toEqual(['restored.db'])
        expect(outputOf(volume)).toBe(join(volume, 'restored.db'))
        continue
      }
      expect(names, `${size} KiB: ${stdout} ${stderr}`).toEqual([])
      const { error } = JSON.parse(stdout) as { error: { code: string; hint: string } }
      expect(error, `${size} KiB`).toMatchObject({ code: 'disk_full', hint: expect.stringContaining('free space') })
    }
    expect(whole, 'some were large enough, and some were not').toBeGreaterThan(0)
    expect(whole).toBeLessThan(kilobytes.length)
    keep(kilobytes.length - whole, startedMs)
  },
)
