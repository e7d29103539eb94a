/** `macaroond repair` on a cluster of real processes, whose primary's database another program or the disk has changed. */
import { execFileSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { fingerprint } from '../../chaos/archive/restore-process.ts'
import { commandLine, type Ran } from '../../integration/cli/command.ts'
import { zeroPageOf } from '../archive/damage.ts'
import { Operator } from '../operator.ts'

const TIMEOUT_MS = 120_000

interface Document {
  readonly result: string
  readonly aside: string
  readonly pages: readonly string[]
  readonly unread: readonly string[]
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string }
}

class Cluster {
  readonly operator: Operator
  readonly #kept: string
  readonly #revoked: string

  private constructor(operator: Operator, kept: string, revoked: string) {
    this.operator = operator
    this.#kept = kept
    this.#revoked = revoked
  }

  /** `config`: lines for the primary's configuration. */
  static async start(config: string = ''): Promise<Cluster> {
    const operator = await Operator.movedIn(config)
    await operator.keepKey()
    await operator.call(['org', 'create', 'acme'])
    const [kept, revoked] = [await operator.mint('alice'), await operator.mint('mallory')]
    await operator.call(['revoke', '--token', '-'], revoked)
    await operator.serving()
    return new Cluster(operator, kept, revoked)
  }

  get primary(): Operator['units']['primary'] {
    return this.operator.units.primary
  }

  async repair(...words: readonly string[]): Promise<Document & { readonly ran: Ran }> {
    const { profile } = this.operator
    const ran = await commandLine(['repair', '--config', 'primary.toml', '--profile', profile, ...words, '--json'])
    return { ...ran.json<Document>(), ran }
  }

  /** Nothing acknowledged is lost, no revoked token is good again, and new writes are taken. */
  async expectAllThere(epoch: string): Promise<void> {
    const { operator } = this
    await this.primary.start()
    await operator.serving()
    expect([await operator.epoch(), await operator.verdict(this.#kept), await operator.verdict(this.#revoked)]).toEqual(
      [epoch, 'ok', 'revoked'],
    )
    const later = await operator.mint('carol')
    await operator.call(['revoke', '--token', '-'], later)
    expect(await operator.verdict(later)).toBe('revoked')
  }
}

const vacuum = (): Buffer => execFileSync('sqlite3', ['primary/macaroond.db', 'VACUUM'])

describe('a VACUUM on a running primary', () => {
  test(
    'is repaired, and the cluster goes on with all that was acknowledged',
    async () => {
      const cluster = await Cluster.start()
      const { primary } = cluster
      expect((await cluster.repair()).error?.code).toBe('already_running')
      vacuum()
      await primary.ended()
      expect(primary.log).toMatch(/foreign_write.*macaroond repair/)
      expect(await primary.tries()).toMatch(/foreign_write.*macaroond repair/)
      const before = fingerprint('primary')
      const look = await cluster.repair('--dry-run')
      expect([look.ran.status, look.result, fingerprint('primary')]).toEqual([0, null, before])
      const damaged = readFileSync('primary/macaroond.db-wal')
      const repaired = await cluster.repair()
      expect(repaired).toMatchObject({ result: 'repaired', unread: [] })
      expect(readFileSync(join(repaired.aside, 'macaroond.db-wal')).equals(damaged)).toBe(true)
      expect(readdirSync(repaired.aside)).toContain('log')
      await cluster.expectAllThere('2')
      await primary.stop()
      expect((await cluster.repair()).result).toBe('sound')
    },
    TIMEOUT_MS,
  )

  test(
    'is repaired without an archive, from what the disk still has',
    async () => {
      const cluster = await Cluster.start('[archive]\nenabled = false\n')
      vacuum()
      await cluster.primary.ended()
      const { pages } = await cluster.repair()
      expect(pages).toEqual([expect.stringMatching(/^pages of the damaged file, .* of its log$/)])
      await cluster.expectAllThere('2')
    },
    TIMEOUT_MS,
  )

  test(
    'of which nothing is left but a replica is refused, and the command of the hint helps',
    async () => {
      const cluster = await Cluster.start('[archive]\nenabled = false\n')
      const { operator, primary } = cluster
      await primary.stop()
      vacuum()
      rmSync('primary/log', { recursive: true })
      const before = fingerprint('primary')
      const { error } = await cluster.repair()
      expect(error).toMatchObject({ code: 'database_corrupt', hint: expect.stringContaining('--from-replica FOLDER') })
      expect(fingerprint('primary')).toBe(before)
      await operator.types(`systemctl stop macaroond-replica
cp -r replica-fra copy-of-fra
systemctl start macaroond-replica
macaroond restore --from-replica copy-of-fra --old-data primary --output restored.db --yes
mv primary primary-before
mkdir -m 700 primary
mv restored.db primary/macaroond.db`)
      await cluster.expectAllThere('2')
    },
    TIMEOUT_MS,
  )
})

describe('a page that rotted', () => {
  test(
    'is found by the scrub, which names the repair, and the repair puts it right',
    async () => {
      const cluster = await Cluster.start('[maintenance]\nscrub = "*/2 * * * * *"\n')
      const { primary } = cluster
      // A primary that starts has copied its WAL into the file.
      await primary.stop()
      await primary.start()
      await cluster.operator.serving()
      zeroPageOf('primary', 'root_keys')
      await primary.ended()
      expect(primary.log).toMatch(/database_corrupt.*the disk changed them.*macaroond repair/)
      expect(await cluster.repair()).toMatchObject({ result: 'repaired', unread: [] })
      await cluster.expectAllThere('2')
    },
    TIMEOUT_MS,
  )

  test(
    'while a replica cannot be reached is repaired only on the operator’s word',
    async () => {
      const cluster = await Cluster.start()
      const { primary, operator } = cluster
      await primary.stop()
      zeroPageOf('primary', 'issued')
      await operator.units.replica.stop()
      expect(await primary.tries()).toMatch(/database_corrupt.*macaroond repair/)
      const before = fingerprint('primary')
      const { error } = await cluster.repair()
      expect(error).toMatchObject({ code: 'restore_unconfirmed', message: expect.stringContaining('replica fra') })
      expect(fingerprint('primary')).toBe(before)
      expect((await cluster.repair('--yes')).result).toBe('repaired')
      await operator.units.replica.start()
      await cluster.expectAllThere('2')
    },
    TIMEOUT_MS,
  )
})

test(
  'a replica that is beyond what is left is named, with the command that keeps what it has',
  async () => {
    const cluster = await Cluster.start('[archive]\nenabled = false\n')
    const { primary, operator } = cluster
    await primary.stop()
    cpSync('primary', 'older', { recursive: true })
    await primary.start()
    await operator.serving()
    await operator.mint('dave')
    await operator.serving()
    await primary.stop()
    rmSync('primary', { recursive: true })
    cpSync('older', 'primary', { recursive: true })
    const { error } = await cluster.repair('--accept-head')
    expect(error).toMatchObject({
      code: 'restore_unconfirmed',
      message: expect.stringMatching(/replica fra is ahead of the rebuilt pages.*--from-replica FOLDER --old-data/),
    })
  },
  TIMEOUT_MS,
)

test.each([
  ['.backup', '.backup copy.db'],
  ['VACUUM INTO', "VACUUM INTO 'copy.db'"],
])(
  'a copy by %s is called no backup by the start, and the repair leads back from it',
  async (_, statement) => {
    const cluster = await Cluster.start()
    const { primary, operator } = cluster
    execFileSync('sqlite3', ['primary/macaroond.db', statement])
    await primary.stop()
    const beside = execFileSync('sh', ['-c', 'rm primary/macaroond.db*; cp copy.db primary/macaroond.db'])
    expect(String(beside)).toBe('')
    expect(await primary.tries()).toMatch(/database_corrupt.*is no backup.*macaroond repair/)
    cpSync('primary', 'kept', { recursive: true })
    rmSync('primary/log', { recursive: true })
    await primary.tries()
    await primary.ended()
    expect(primary.log).toMatch(/position_diverged.*its content differs.*is no backup/)
    expect(primary.log).not.toContain('older copy')
    rmSync('primary', { recursive: true })
    cpSync('kept', 'primary', { recursive: true })
    expect(await cluster.repair()).toMatchObject({ result: 'repaired', unread: [] })
    await cluster.expectAllThere('2')
    expect((await operator.status()).primary?.writes).toBe('open')
  },
  TIMEOUT_MS,
)
