/** The archive's place is not mounted: the primary runs, archives nothing beside it, and goes on when the place is back. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { archiveConfig } from '../../../primary/archiver/config.ts'
import { NO_FLAGS } from '../../../primary/options.ts'
import type { PrimaryStatus } from '../../../shared/protocol/status.ts'
import { commandLine } from '../../integration/cli/command.ts'
import { Cluster, scratch, until } from '../../integration/cluster/harness.ts'
import { canMount, named } from '../../integration/cluster/small-volume.ts'

const settings = (to: string): ReturnType<typeof archiveConfig.parse> =>
  archiveConfig.parse({ to, upload_every_ms: 0, jitter_seconds: 0 })

class Scene {
  readonly cluster: Cluster
  readonly #root = scratch()
  readonly place: string = join(this.#root, 'mount')
  readonly #stored: string = join(this.#root, 'stored')
  #mounted = false

  constructor() {
    for (const folder of [this.place, this.#stored]) mkdirSync(folder)
    onTestFinished(() => this.unmount())
    this.mount()
    this.cluster = Cluster.create({ regions: [], primary: { archive: settings(this.place), alone: true } })
  }

  mount(): void {
    execFileSync('mount', ['--bind', this.#stored, this.place])
    this.#mounted = true
  }

  unmount(): void {
    if (this.#mounted) execFileSync('umount', ['--lazy', this.place])
    this.#mounted = false
  }

  async begin(): Promise<void> {
    await this.cluster.startPrimary()
    const signer = await this.cluster.signer()
    await signer.createOrg('acme')
    await this.archived()
  }

  async mint(): Promise<void> {
    const signer = await this.cluster.signer()
    await signer.mint({ org: 'acme', subject: 'alice' })
  }

  async archived(): Promise<void> {
    await until(async () => (await this.archive()).lag === 0, 'everything is archived', 40_000)
  }

  async archive(): Promise<NonNullable<PrimaryStatus['archive']>> {
    return (await this.cluster.primaryStatus()).archive!
  }

  async missing(): Promise<void> {
    const isTold = async (): Promise<boolean> => {
      const { alarms } = await this.cluster.primaryStatus()
      return alarms.some(({ code }) => code === 'archive_missing')
    }
    await until(isTold, 'the alarm', 40_000)
  }

  async verified(): Promise<void> {
    const { authorityKey } = await this.cluster.primaryStatus()
    const verified = await commandLine(['archive', 'verify', '--archive', this.place, '--key', authorityKey, '--json'])
    expect(verified.json()).toMatchObject({ ok: true, manifest: [], bad: [] })
  }
}

describe.runIf(canMount)(`an archive on a mount${named}`, () => {
  test('that is not there after a restart is waited for, and no archive begins in its place', async () => {
    const scene = new Scene()
    await scene.begin()
    await scene.cluster.stopPrimary()
    scene.unmount()
    await scene.cluster.startPrimary()
    await scene.mint()
    await scene.missing()
    expect(readdirSync(scene.place)).toEqual([])
    scene.mount()
    await scene.archived()
    expect((await scene.archive()).alerts).toEqual([])
    await scene.verified()
  }, 120_000)

  test('that goes while the primary runs gets nothing written in its place', async () => {
    const scene = new Scene()
    await scene.begin()
    scene.unmount()
    await scene.mint()
    await scene.missing()
    expect(readdirSync(scene.place)).toEqual([])
    scene.mount()
    await scene.mint()
    await scene.archived()
    await scene.verified()
  }, 120_000)

  test('is given up on the operator’s word alone, and the new one is remembered', async () => {
    const scene = new Scene()
    await scene.begin()
    await scene.cluster.stopPrimary()
    scene.unmount()
    await scene.cluster.startPrimary({}, { ...NO_FLAGS, newArchive: true })
    await scene.mint()
    await scene.archived()
    await scene.verified()
    await scene.cluster.stopPrimary()
    scene.mount()
    await scene.cluster.startPrimary()
    await scene.mint()
    const isTold = async (): Promise<boolean> => (await scene.archive()).alerts.length > 0
    await until(isTold, 'the old archive is not the one that is remembered', 40_000)
    expect((await scene.archive()).alerts.join()).toMatch(/claim fails/)
  }, 120_000)
})

describe('an archive in a folder', () => {
  test('is recognized where it was moved to, and an empty folder is not it', async () => {
    const root = scratch()
    const [before, after] = [join(root, 'before'), join(root, 'after')]
    const cluster = Cluster.create({ regions: [], primary: { archive: settings(before), alone: true } })
    await cluster.startPrimary()
    const signer = await cluster.signer()
    await signer.createOrg('acme')
    const archive = async (): Promise<NonNullable<PrimaryStatus['archive']>> => (await cluster.primaryStatus()).archive!
    await until(async () => (await archive()).lag === 0, 'everything is archived')
    await cluster.stopPrimary()
    renameSync(before, after)
    await cluster.startPrimary({ archive: settings(after) })
    await until(async () => (await archive()).lag === 0, 'it goes on')
    await cluster.stopPrimary()
    mkdirSync(before)
    await cluster.startPrimary({ archive: settings(before) })
    await until(async () => (await archive()).alerts.length > 0, 'it is told')
    expect((await archive()).alerts.join()).toMatch(/is not at .*before: it is empty/)
    expect(readdirSync(before)).toEqual([])
  }, 60_000)
})
