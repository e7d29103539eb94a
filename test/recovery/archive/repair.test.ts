/** A primary whose archive lost something, from the alarm to its end: real nodes, and the commands that an operator types. */
import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { archiveConfig } from '../../../primary/archiver/config.ts'
import type { ArchiveRepairAnswer } from '../../../shared/protocol/archive-repair.ts'
import type { PrimaryStatus } from '../../../shared/protocol/status.ts'
import { commandLine, type Ran } from '../../integration/cli/command.ts'
import { Cluster, until } from '../../integration/cluster/harness.ts'

class Scene {
  readonly cluster: Cluster = Cluster.create({
    regions: [],
    primary: {
      archive: archiveConfig.parse({ upload_every_ms: 0, jitter_seconds: 0, schedule: { level_1: '0 0 1 1 *' } }),
      alone: true,
    },
  })
  readonly archive = `${this.cluster.primaryFolder}-archive`
  #profile = ''

  async begin(): Promise<void> {
    await this.start()
    const signer = await this.cluster.signer()
    await signer.createOrg('acme')
    // Each in an entry of its own.
    for (let minted = 0; minted < 5; minted += 1) {
      await this.mint()
      await this.archived()
    }
  }

  async start(): Promise<void> {
    await this.cluster.startPrimary()
    this.#profile = await this.cluster.profile()
  }

  async mint(): Promise<void> {
    const signer = await this.cluster.signer()
    await signer.mint({ org: 'acme', subject: 'alice' })
  }

  async archived(): Promise<void> {
    const isAll = async (): Promise<boolean> => (await this.cluster.primaryStatus()).archive?.lag === 0
    await until(isAll, 'everything is archived', 40_000)
  }

  async alarmed(code: PrimaryStatus['alarms'][number]['code'], is: boolean = true): Promise<void> {
    const has = async (): Promise<boolean> =>
      (await this.cluster.primaryStatus()).alarms.some((alarm) => alarm.code === code) === is
    await until(has, `${code} is ${is ? 'on' : 'off'}`, 40_000)
  }

  run(...args: readonly string[]): Promise<Ran> {
    return commandLine([...args, '--json'], { profile: this.#profile })
  }

  async verify(): Promise<Ran> {
    const { authorityKey } = await this.cluster.primaryStatus()
    return this.run('archive', 'verify', '--archive', this.archive, '--key', authorityKey)
  }

  restore(key: string, ...more: readonly string[]): Promise<Ran> {
    const output = join(this.cluster.folder, 'restored.db')
    const args = ['restore', '--archive', this.archive, '--key', key, '--accept-head', '--json', '--output', output]
    return commandLine([...args, ...more])
  }

  entries(): readonly string[] {
    const folder = join(this.archive, 'macaroond/manifest')
    return readdirSync(folder)
      .toSorted()
      .map((name) => join(folder, name))
  }
}

describe('an archive that lost an entry', () => {
  test('while its primary runs is healed by it, and the alarm lasts until an operator has seen it', async () => {
    const scene = new Scene()
    await scene.begin()
    rmSync(scene.entries().at(-1)!)
    await scene.mint()
    await scene.archived()
    expect((await scene.verify()).json()).toMatchObject({ ok: true })
    await scene.alarmed('archive_repaired')
    await scene.cluster.stopPrimary()
    await scene.start()
    await scene.alarmed('archive_repaired')
    const seen = await scene.run('archive', 'repair')
    expect(seen).toMatchObject({ status: 2 })
    expect(seen.stdout).toContain('of the manifest were lost')
    expect((await scene.run('archive', 'repair', '--yes')).status).toBe(0)
    await scene.alarmed('archive_repaired', false)
    expect((await scene.run('archive', 'repair')).json()).toMatchObject({ asked: false })
    const { stdout } = await scene.run('audit', 'verify')
    expect(stdout).toContain('"ok":true')
  }, 120_000)

  test('before its primary starts is repaired once the operator confirms the list', async () => {
    const scene = new Scene()
    await scene.begin()
    await scene.cluster.stopPrimary()
    rmSync(scene.entries().at(-2)!)
    truncateSync(scene.entries().at(-1)!, 0)
    await scene.start()
    await scene.mint()
    await scene.alarmed('archive_failing')
    const verified = await scene.verify()
    expect(verified.status).toBe(1)
    const { manifest, restorable } = verified.json<{ manifest: readonly string[]; restorable: readonly object[] }>()
    expect(manifest.join()).toMatch(/is empty/)
    expect(manifest.join()).toMatch(/is missing/)
    expect(restorable).toHaveLength(1)

    const asked = await scene.run('archive', 'repair')
    expect(asked.status).toBe(2)
    expect(asked.stdout).toContain('repair_unconfirmed')
    const { places } = (await scene.run('archive', 'repair', '--yes')).json<ArchiveRepairAnswer>()
    expect(places[0]?.wound?.problems).toEqual(manifest)
    await scene.archived()
    expect((await scene.verify()).json()).toMatchObject({ ok: true })
    await scene.alarmed('archive_repaired')
    await scene.alarmed('archive_failing', false)
  }, 120_000)

  test('is restored from on the operator’s word, and says first what is wrong', async () => {
    const scene = new Scene()
    await scene.begin()
    const { authorityKey } = await scene.cluster.primaryStatus()
    await scene.cluster.stopPrimary()
    rmSync(scene.entries().at(-2)!)
    const restore = (...more: readonly string[]): Promise<Ran> => scene.restore(authorityKey, ...more)
    const asked = await restore()
    expect(asked.status).toBe(2)
    expect(asked.stdout).toMatch(/manifest of the archive is damaged: entry \d+ of the manifest/)
    expect((await restore('--yes')).json()).toMatchObject({ begun: { epoch: 2 } })
  }, 60_000)
})

test('a FIFO in the archive keeps neither a restore nor a primary waiting', async () => {
  const scene = new Scene()
  await scene.begin()
  const { authorityKey } = await scene.cluster.primaryStatus()
  const newest = scene.entries().at(-1)!
  rmSync(newest)
  execFileSync('mkfifo', [newest])
  const restored = await scene.restore(authorityKey)
  expect(restored.status).not.toBe(0)
  await scene.mint()
  // It goes on by itself: the primary knows what the entry said.
  await scene.archived()
  await scene.alarmed('archive_repaired')
  await scene.cluster.stopPrimary()
}, 60_000)

test('a file that the log still has is put back, and the alert of the merge that failed ends', async () => {
  const scene = new Scene()
  await scene.begin()
  const folder = join(scene.archive, 'ltx/0')
  const [, second = ''] = readdirSync(folder).toSorted()
  writeFileSync(join(folder, second), 'x')
  expect((await scene.run('archive', 'compact')).status).toBe(0)
  await scene.alarmed('archive_repaired')
  await scene.alarmed('archive_job_failing', false)
  expect((await scene.verify()).json()).toMatchObject({ ok: true })
}, 60_000)
