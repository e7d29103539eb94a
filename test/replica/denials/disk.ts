/** The parts of a replica that live on its disk, without a network: pages come as snapshots that a test makes. */
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { createAuthorityDatabase } from '../../../primary/store/create-database.ts'
import { snapshotFields } from '../../../primary/commit-log/write-snapshot.ts'
import { Denials } from '../../../replica/denials/denials.ts'
import { DenialsKeeper } from '../../../replica/denials/keeper.ts'
import { RevocationJournal } from '../../../replica/revocations/journal.ts'
import type { JournalPart } from '../../../replica/revocations/journal-records.ts'
import { DatabaseCopy, type ScrubOutcome } from '../../../replica/store/database-copy.ts'
import { PageScrub } from '../../../replica/store/page-scrub.ts'
import { SnapshotFile } from '../../../replica/store/snapshot-file.ts'
import { Tables } from '../../../replica/tables/tables.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { MetaReader } from '../../../shared/database/meta.ts'
import { silentLog } from '../../../shared/log.ts'
import { SegmentEncoder } from '../../../shared/ltx/encoder.ts'
import { PageChecksums } from '../../../shared/ltx/rolling-checksum.ts'
import { PAGE_BYTES } from '../../../shared/limits.ts'
import { openWritable, type Database } from '../../../shared/sqlite/open-database.ts'
import type { RevocationRow } from '../../../shared/verifier/revocation-row.ts'
import { KEK, nonceOf } from '../tables-database.ts'

export const KID: string = '1'.repeat(16)

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-undone-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A history of an authority: each has a timeline of its own. */
export class History {
  readonly writer: Database

  constructor(number: number, folder: string = newFolder()) {
    this.writer = openWritable(join(folder, `history-${number}.db`))
    onTestFinished(() => void this.writer.close())
    createAuthorityDatabase(this.writer, { cluster: 'test', kek: KEK, clock: systemClock, entropy: systemEntropy })
    const timeline = String(number).repeat(32)
    this.writer.prepare('UPDATE meta SET epoch = ?, timeline = ?').run(number, timeline)
  }

  revoke(seq: number, of: number = seq, expiresAt = 0): this {
    const key = Buffer.from(KID + nonceOf(of), 'hex')
    const insert = this.writer.prepare(
      "INSERT INTO revocations VALUES (?, 'token', 'acme', ?, 7, ?, 'operator', 'stolen')",
    )
    insert.run(seq, key, expiresAt)
    this.writer.prepare('UPDATE meta SET txid = txid + 1, revocation_seq = ?').run(seq)
    return this
  }

  disableOrg(seq: number): this {
    const insert = this.writer.prepare(
      "INSERT INTO revocations VALUES (?, 'org_disabled', 'acme', X'', 7, 0, 'operator', 'gone')",
    )
    insert.run(seq)
    this.writer.prepare('UPDATE meta SET txid = txid + 1, revocation_seq = ?').run(seq)
    return this
  }

  /** All of them in one transaction. */
  revokeFrom(first: number, last: number): this {
    const all = this.writer.transaction(() => {
      for (let seq = first; seq <= last; seq += 1) this.revoke(seq)
    })
    all()
    return this
  }

  forget(timeline: string, first: number, last: number): this {
    this.writer
      .prepare("INSERT INTO forgotten (timeline, first, last, at_ms, actor, reason) VALUES (?, ?, ?, 1, 'op', '')")
      .run(timeline, first, last)
    this.writer.prepare('UPDATE meta SET txid = txid + 1').run()
    return this
  }
}

export class Disk {
  readonly folder: string
  /** By code, with the name of what it is about after a space. */
  readonly alarms: Map<string, string | undefined> = new Map()
  readonly tables: Tables
  readonly journal: RevocationJournal
  readonly denials: Denials
  readonly copy: DatabaseCopy
  readonly keeper: DenialsKeeper
  latestMs: number = Infinity
  /** The outcome of every scrub; undefined for a real scrub. */
  found: ScrubOutcome | undefined
  /** Refused, and in no file. */
  unwritten: JournalPart | undefined
  /** The error that would have ended the node. */
  fatal: unknown
  /** Called before the keeper makes the pages durable. */
  onSyncPages: () => void = () => undefined
  /** Turns of the event loop that the keeper waits for; undefined while it gets them at once. */
  held: (() => void)[] | undefined

  constructor(folder: string) {
    this.folder = folder
    const [timers, clock, entropy, log] = [systemClock, systemClock, systemEntropy, silentLog]
    const savedTable = join(folder, 'revocations.table')
    this.tables = new Tables({ cluster: 'test', ring: [KEK], entropy, timers, log, savedPath: savedTable })
    this.copy = new DatabaseCopy({
      folder,
      cluster: 'test',
      clock,
      entropy,
      log,
      onReopened: (source) => this.tables.attach(source),
    })
    this.journal = new RevocationJournal(join(folder, 'revocations.journal'))
    for (const { rows } of this.journal.takeLoaded()) this.tables.deny(rows)
    const onRow = (row: RevocationRow): void => this.tables.deny([row])
    this.denials = new Denials({ path: join(folder, 'denials'), entropy, timers, onRow })
    const alarms = {
      set: (code: string, detail: string | undefined, about?: string) =>
        void this.alarms.set(about === undefined ? code : `${code} ${about}`, detail),
    }
    const pageScrub = new PageScrub({ copy: this.copy, alarms })
    this.keeper = new DenialsKeeper({
      folder,
      file: this.denials,
      savedTable,
      journal: this.journal,
      tables: this.tables,
      timers: { soon: (work) => void (this.held === undefined ? systemClock.soon(work) : this.held.push(work)) },
      entropy,
      log,
      unwritten: () => this.unwritten,
      onChanged: () => undefined,
      scrubPages: async () => this.found ?? (await pageScrub.run()),
      syncPages: () => {
        this.onSyncPages()
        this.copy.sync()
      },
      deletionMs: () => this.latestMs,
      onFatal: (error) => {
        this.fatal = error
        throw error
      },
      alarms,
    })
    this.copy.beforeInstall((replacement, install) => this.keeper.keepThenInstall(replacement, install))
  }

  /** As a snapshot of it would. */
  async install({ writer }: History): Promise<void> {
    const bytes = writer.serialize()
    const { epoch, txid, timeline } = new MetaReader(writer).read()
    const pageCount = bytes.length / PAGE_BYTES
    const pageAt = (pgno: number): Buffer => bytes.subarray((pgno - 1) * PAGE_BYTES, pgno * PAGE_BYTES)
    const checksums = new PageChecksums(PAGE_BYTES)
    for (let pgno = 1; pgno <= pageCount; pgno += 1) checksums.set(pgno, pageAt(pgno))
    const position = { epoch, txid, checksum: checksums.checksum }
    const encoder = new SegmentEncoder(snapshotFields(pageCount, position, 0))
    const snapshot = new SnapshotFile(join(this.folder, 'snapshot.incoming'))
    snapshot.write(encoder.header())
    for (let pgno = 1; pgno <= pageCount; pgno += 1) snapshot.write(encoder.page(pgno, pageAt(pgno)))
    snapshot.write(encoder.finish())
    snapshot.finish()
    try {
      await this.copy.install(snapshot, pageCount, { position, timeline })
    } finally {
      snapshot.discard()
    }
    this.tables.refresh()
  }

  /** The pages are durable, and what follows from that is done. */
  async settle(): Promise<void> {
    this.copy.sync()
    this.keeper.pagesDurable()
    await this.keeper.idle()
  }

  /** The keeper gets no turn while `work` runs. */
  async hold(work: () => Promise<void>): Promise<void> {
    this.held = []
    await work()
    const held = this.held
    this.held = undefined
    for (const one of held) one()
  }

  refuses(of: number): boolean {
    return this.tables.revoked(KID as never, nonceOf(of) as never)
  }

  /** SIGTERM: the table is saved. */
  async stop(): Promise<void> {
    await this.keeper.stop()
    await this.tables.save()
    this.close()
  }

  close(): void {
    this.copy.close()
    this.journal.close()
  }
}

/** Changes the last byte of a revocation's nonce wherever the files of the database have it, in place. */
export function rot(folder: string, of: number): void {
  const key = Buffer.from(KID + nonceOf(of), 'hex')
  let changed = 0
  for (const path of ['macaroond.db', 'macaroond.db-wal'].map((name) => join(folder, name))) {
    if (!existsSync(path)) continue
    const bytes = readFileSync(path)
    const file = openSync(path, 'r+')
    for (let at = bytes.indexOf(key); at !== -1; at = bytes.indexOf(key, at + 1)) {
      const last = at + key.length - 1
      writeSync(file, Buffer.from([(bytes[last] ?? 0) ^ 0x80]), 0, 1, last)
      changed += 1
    }
    closeSync(file)
  }
  if (changed === 0) throw new Error(`no file has revocation ${of}`)
}
