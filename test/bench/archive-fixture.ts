/** An archive of a real authority's database: so many bytes in a snapshot, and so many transactions behind it. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { claim } from '../../primary/archiver/chain/claim.ts'
import { compact } from '../../primary/archiver/files/compact.ts'
import { snapshot } from '../../primary/archiver/files/snapshot.ts'
import { upload } from '../../primary/archiver/files/upload.ts'
import { CommitLog } from '../../primary/commit-log/commit-log.ts'
import { createAuthorityDatabase, isEmptyDatabase } from '../../primary/store/create-database.ts'
import { DirectoryStorage } from '../../shared/archive/directory.ts'
import { ManifestWriter } from '../../primary/archiver/chain/manifest-writer.ts'
import { systemClock, systemEntropy } from '../../shared/clock.ts'
import { readSigningKey, type SigningKey } from '../../shared/database/signing-key.ts'
import { TXID_NONE, type Txid } from '../../shared/ids.ts'
import { kekFromHex } from '../../shared/sealing.ts'

const CLUSTER = 'bench'
const KEK = kekFromHex('11'.repeat(32))
/** Rows with noise, as sealed keys and nonces are; about 700 bytes each. */
const ROW =
  'INSERT INTO issued (kid, nonce, subject, expires_at) VALUES (randomblob(8), randomblob(16), hex(randomblob(320)), 0)'
const ROWS_A_MEGABYTE = 1_480
const ROWS_A_TRANSACTION = 8_000
const UPLOAD_EVERY = 1_000

export class ArchivedDatabase {
  readonly path: string
  readonly archive: string
  readonly key: SigningKey
  readonly #log: CommitLog
  readonly #storage: DirectoryStorage
  readonly #manifest: ManifestWriter
  readonly #scratch: string
  #archived: Txid = TXID_NONE

  private constructor(folder: string, log: CommitLog, storage: DirectoryStorage) {
    this.path = join(folder, 'macaroond.db')
    this.archive = storage.location
    this.key = readSigningKey(log.db, [KEK], CLUSTER)
    this.#log = log
    log.connect(() => undefined)
    this.#storage = storage
    this.#scratch = join(folder, 'snapshot.tmp')
    const { timeline, head } = log
    const place = { storage, cluster: CLUSTER, epoch: head.epoch, timeline }
    this.#manifest = new ManifestWriter({ ...place, signingKey: this.key, wallMs: systemClock.wallMs })
  }

  static async create(folder: string): Promise<ArchivedDatabase> {
    mkdirSync(folder, { recursive: true })
    const log = new CommitLog({
      database: join(folder, 'macaroond.db'),
      logFolder: join(folder, 'log'),
      keepBytes: 1_000_000_000,
      cluster: CLUSTER,
      clock: systemClock,
      entropy: systemEntropy,
      reserveBytes: 0,
      initialize: (db) => {
        if (isEmptyDatabase(db))
          createAuthorityDatabase(db, { cluster: CLUSTER, kek: KEK, clock: systemClock, entropy: systemEntropy })
        // How fast the fixture is made is not measured.
        db.pragma('synchronous = OFF')
      },
      onGap: () => undefined,
      onDamagedLog: () => undefined,
    })
    const own = new ArchivedDatabase(
      folder,
      log,
      await DirectoryStorage.open(join(folder, 'archive'), { create: true }),
    )
    const { needsSnapshot } = await claim({
      ...own.#options,
      cluster: CLUSTER,
      signingKey: own.key,
      nowMs: systemClock.wallMs(),
      known: undefined,
      mayRepair: undefined,
      filesBad: false,
    })
    if (needsSnapshot) await own.#snapshot(true)
    return own
  }

  /** Grows to about so many bytes, and archives it as a snapshot. */
  async fill(megabytes: number): Promise<void> {
    for (let rows = megabytes * ROWS_A_MEGABYTE; rows > 0; rows -= ROWS_A_TRANSACTION) {
      this.#write(Math.min(rows, ROWS_A_TRANSACTION))
      await this.#upload()
      await this.#log.checkpoint()
    }
    await this.#snapshot(false)
  }

  /** Transactions of one row each, each a file of its own. */
  async transactions(count: number): Promise<void> {
    for (let number = 1; number <= count; number += 1) {
      this.#write(1)
      if (number % UPLOAD_EVERY === 0) await this.#upload()
    }
    await this.#upload()
  }

  async compact(): Promise<void> {
    for (const level of [1, 2, 3]) await compact(this.#options, level)
  }

  close(): void {
    this.#log.close()
  }

  get #options(): Parameters<typeof upload>[0] {
    return { storage: this.#storage, manifest: this.#manifest, source: this.#log, merge: false, timers: systemClock }
  }

  async #snapshot(bridgesGap: boolean): Promise<void> {
    const { signal } = new AbortController()
    this.#archived = (await snapshot({ ...this.#options, bridgesGap, path: this.#scratch, signal })) ?? this.#archived
  }

  async #upload(): Promise<void> {
    while (this.#archived < this.#log.head.txid) {
      const archived = await upload(this.#options, this.#archived)
      if (archived === undefined) throw new Error('the log lacks what the archive needs')
      this.#archived = archived
    }
  }

  #write(rows: number): void {
    const { db } = this.#log
    db.exec('BEGIN IMMEDIATE')
    const insert = db.prepare(ROW)
    for (let row = 0; row < rows; row += 1) insert.run()
    db.exec('UPDATE meta SET txid = txid + 1; COMMIT')
    this.#log.captureCommit(systemClock.wallMs())
  }
}
