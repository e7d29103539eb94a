/** An authority's database with its archive, step by step: real SQLite, real files, no sockets, and a clock that is set. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { claim, type Claimed, type ClaimOptions } from '../../../primary/archiver/chain/claim.ts'
import { compact } from '../../../primary/archiver/files/compact.ts'
import { retain } from '../../../primary/archiver/files/retain.ts'
import { snapshot } from '../../../primary/archiver/files/snapshot.ts'
import type { CommittedHistory } from '../../../primary/archiver/source.ts'
import { upload } from '../../../primary/archiver/files/upload.ts'
import { CommitLog } from '../../../primary/commit-log/commit-log.ts'
import { createAuthorityDatabase, isEmptyDatabase } from '../../../primary/store/create-database.ts'
import { migrate } from '../../../primary/store/migrate.ts'
import { claimEpoch } from '../../../primary/archiver/chain/claim-epoch.ts'
import { DirectoryStorage } from '../../../shared/archive/directory.ts'
import { type ChainLink, ManifestWriter } from '../../../primary/archiver/chain/manifest-writer.ts'
import { readManifest } from '../../../shared/archive/read-chain.ts'
import { planRestore, type RestoreTarget } from '../../../shared/archive/restore-plan.ts'
import { rebuildDatabase } from '../../../shared/archive/rebuild.ts'
import type { RetentionRules } from '../../../primary/archiver/files/retention-plan.ts'
import type { ArchiveStorage } from '../../../shared/archive/storage.ts'
import { systemClock, systemEntropy, type Clock, type Timers } from '../../../shared/clock.ts'
import { sha256 } from '../../../shared/crypto.ts'
import { readSigningKey, type SigningKey } from '../../../shared/database/signing-key.ts'
import { epoch as asEpoch, timeline as asTimeline, txid as asTxid, type Txid } from '../../../shared/ids.ts'
import { kekFromHex, type Kek } from '../../../shared/sealing.ts'
import type { Database } from '../../../shared/sqlite/open-database.ts'
import { asSchema4 } from '../../primary/store/schema-4.ts'

export const CLUSTER = 'test'
export const RING: readonly Kek[] = [kekFromHex('ab'.repeat(32))]

/** In memory where that is possible: nothing here pulls a plug, and thousands of files are synced. */
const SCRATCH = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

export function scratch(): string {
  const folder = mkdtempSync(join(SCRATCH, 'macaroond-archived-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export interface Recorded {
  readonly txid: Txid
  readonly atMs: number
  /** Of the database's bytes as they were after that transaction. */
  readonly hash: string
}

type Doubt = Partial<Pick<ClaimOptions, 'filesBad' | 'mayRepair' | 'known'>>

export class Authority {
  readonly folder: string = scratch()
  readonly recorded: Recorded[] = []
  nowMs = 1_700_000_000_000
  readonly #clock: Clock & Timers = { ...systemClock, wallMs: () => this.nowMs, monotonicMs: () => this.nowMs }
  #log: CommitLog
  #storage: ArchiveStorage
  /** What is archived is read back here, past whatever lies between. */
  readonly #reader: ArchiveStorage
  #manifest: ManifestWriter
  #claimed: Pick<Claimed, 'archived' | 'needsSnapshot'> = { archived: asTxid(0), needsSnapshot: false }

  private constructor(log: (authority: Authority) => CommitLog, storage: ArchiveStorage, reader: ArchiveStorage) {
    this.#log = log(this)
    this.#log.connect(() => undefined)
    this.#storage = storage
    this.#reader = reader
    this.#manifest = this.#writer()
  }

  /** `wrap`: what lies between the archiver and its archive, which is a directory by default. */
  static async create(
    wrap: (storage: ArchiveStorage) => ArchiveStorage = (storage) => storage,
    archive?: ArchiveStorage,
  ): Promise<Authority> {
    const storage = archive ?? (await DirectoryStorage.open(scratch()))
    const authority = new Authority((own) => own.#open(), wrap(storage), storage)
    onTestFinished(() => authority.#log.close())
    authority.#record()
    return authority
  }

  /** With a database as 0.1.0 made it. */
  static async ofSchema4(): Promise<Authority> {
    const storage = await DirectoryStorage.open(scratch())
    const authority = new Authority((own) => own.#open(asSchema4), storage, storage)
    onTestFinished(() => authority.#log.close())
    authority.#record()
    return authority
  }

  get archive(): string {
    return this.#storage.location
  }

  get archived(): Txid {
    return this.#claimed.archived
  }

  get manifest(): ManifestWriter {
    return this.#manifest
  }

  get source(): CommittedHistory {
    return this.#log
  }

  get key(): SigningKey {
    return readSigningKey(this.#log.db, RING, CLUSTER)
  }

  /** One transaction, `afterMs` after the one before. */
  write(sql: string, afterMs: number = 10): void {
    this.nowMs += afterMs
    const { db } = this.#log
    db.exec(`BEGIN IMMEDIATE; ${sql}; UPDATE meta SET txid = txid + 1; COMMIT`)
    this.#log.captureCommit(this.nowMs)
    this.#record()
  }

  /** The transaction that brings the database to this version's schema. */
  migrate(): void {
    this.nowMs += 10
    const { db } = this.#log
    db.transaction(() => migrate(db, this.nowMs)).immediate()
    this.#log.captureCommit(this.nowMs)
    this.#record()
  }

  /** One transaction that revokes one token; any 24 bytes name one. */
  revoke(key: string): void {
    const seq = this.#log.db.prepare<[], number>('SELECT revocation_seq + 1 FROM meta').pluck().get() ?? 0
    this.write(
      `INSERT INTO revocations VALUES (${seq}, 'token', 'acme', x'${key}', ${this.nowMs}, 0, 'operator', 'stolen');
       UPDATE meta SET revocation_seq = ${seq}`,
    )
  }

  /** Rows with noise, so that pages do not compress to nothing. */
  grow(rows: number): void {
    const row = `INSERT INTO issued (kid, nonce, subject, expires_at) VALUES (randomblob(8), randomblob(16), hex(randomblob(300)), 0)`
    this.write(Array.from({ length: rows }, () => row).join(';'))
  }

  shrink(): void {
    this.write('DELETE FROM issued WHERE seq % 3 <> 0')
  }

  async checkpoint(): Promise<void> {
    await this.#log.checkpoint()
  }

  /** What a start of the archiver does, and what it does after every failure. */
  async claim(): Promise<void> {
    await this.claimAnew()
  }

  /** As a process does that was just started. */
  async claimAnew(doubt: Doubt = {}): Promise<Claimed> {
    this.#manifest = this.#writer(doubt.known)
    return this.claimAgain(doubt)
  }

  /** As the same process does after a failure, with the manifest as it knows it. */
  async claimAgain(doubt: Doubt = {}): Promise<Claimed> {
    const common = { cluster: CLUSTER, storage: this.#storage, manifest: this.#manifest, source: this.#log }
    const own = { signingKey: this.key, nowMs: this.nowMs, timers: systemClock, known: undefined }
    const claimed = await claim({ ...common, ...own, filesBad: false, mayRepair: undefined, ...doubt })
    this.#claimed = claimed
    if (claimed.needsSnapshot) await this.snapshot(true)
    return claimed
  }

  async upload(merge: boolean = false): Promise<void> {
    const options = { storage: this.#storage, manifest: this.#manifest, source: this.#log, merge, timers: systemClock }
    while (this.#claimed.archived < this.#log.head.txid) {
      const archived = await upload(options, this.#claimed.archived)
      if (archived === undefined) return this.snapshot(true)
      this.#claimed = { archived, needsSnapshot: false }
    }
  }

  async snapshot(bridgesGap: boolean = false): Promise<void> {
    const path = join(this.folder, 'snapshot.tmp')
    const { signal } = new AbortController()
    const common = { storage: this.#storage, manifest: this.#manifest, source: this.#log, bridgesGap, path, signal }
    const archived = await snapshot({ ...common, timers: systemClock })
    if (archived !== undefined) this.#claimed = { archived, needsSnapshot: false }
  }

  async compact(level: number): Promise<void> {
    await compact({ storage: this.#storage, manifest: this.#manifest, timers: systemClock }, level)
  }

  async retain(rules: RetentionRules): Promise<void> {
    await retain({ storage: this.#storage, manifest: this.#manifest }, rules, this.nowMs)
  }

  /** As a primary does that then dies before it has written anything. */
  async claimedByAnother(number: number): Promise<void> {
    const claimed = {
      cluster: CLUSTER,
      epoch: asEpoch(number),
      timeline: asTimeline('cd'.repeat(16)),
      atMs: this.nowMs,
    }
    await claimEpoch(this.#storage, claimed, this.key)
  }

  /** Another primary goes on with the manifest. */
  async followedByAnother(number: number): Promise<void> {
    await this.claimedByAnother(number)
    const place = { epoch: asEpoch(number), timeline: asTimeline('cd'.repeat(16)) }
    const options = { storage: this.#storage, cluster: CLUSTER, ...place, signingKey: this.key }
    const other = new ManifestWriter({ ...options, wallMs: this.#clock.wallMs })
    await other.load()
    await other.append({ head: undefined, added: [], removed: [] })
  }

  /** Hash of the database's bytes as the archive gives them back. */
  async restored(target: RestoreTarget): Promise<{ readonly txid: Txid; readonly hash: string }> {
    const storage = this.#reader
    const { files } = await readManifest(storage, this.key.publicKey)
    const plan = planRestore([...files.values()], target, this.nowMs)
    const path = join(this.folder, 'restored.db')
    rmSync(path, { force: true })
    const { checksum } = await rebuildDatabase({ storage, files: plan.files, path })
    if (checksum !== plan.last.postApply) throw new Error(`transaction ${plan.point.txid} has another checksum`)
    return { txid: plan.point.txid, hash: sha256(readFileSync(path)).toString('hex') }
  }

  #open(made: (db: Database) => void = () => undefined): CommitLog {
    return new CommitLog({
      database: join(this.folder, 'macaroond.db'),
      logFolder: join(this.folder, 'log'),
      keepBytes: 100_000_000,
      cluster: CLUSTER,
      clock: this.#clock,
      entropy: systemEntropy,
      reserveBytes: 0,
      initialize: (db) => {
        if (isEmptyDatabase(db)) {
          createAuthorityDatabase(db, { cluster: CLUSTER, kek: RING[0]!, clock: this.#clock, entropy: systemEntropy })
          made(db)
        }
        // Speed of the tests only; that commits are synced is tested elsewhere.
        db.pragma('synchronous = OFF')
      },
      onGap: () => undefined,
      onDamagedLog: () => undefined,
    })
  }

  #writer(known?: ChainLink): ManifestWriter {
    const { head, timeline } = this.#log
    const options = { storage: this.#storage, cluster: CLUSTER, epoch: head.epoch, timeline, signingKey: this.key }
    return new ManifestWriter({ ...options, known, wallMs: this.#clock.wallMs })
  }

  #record(): void {
    const { db, head } = this.#log
    this.recorded.push({ txid: head.txid, atMs: this.nowMs, hash: sha256(db.serialize()).toString('hex') })
  }
}
