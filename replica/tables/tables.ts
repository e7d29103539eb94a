/**
 * The tables of a replica: all root keys and revocations in memory, read from its own database and fed by the stream. The
 * verifier reads nothing else. A revocation never leaves the tables (S3), not by a snapshot, a reopened database or a newer
 * timeline, except when it is outlived or an operator gave it up.
 */
import type { RowObserver } from '../revocations/history.ts'
import { existsSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { turn, type Entropy, type Timers } from '../../shared/clock.ts'
import { KeyReader, type KeysRead, type OpenedKeys } from '../../shared/database/keys.ts'
import { checkMeta, type Meta, type MetaReader } from '../../shared/database/meta.ts'
import { readRevocationColumns } from '../../shared/database/revocation-columns.ts'
import { RevocationLog } from '../../shared/database/revocation-log.ts'
import { readPublicKey, readSigningKey } from '../../shared/database/signing-key.ts'
import type { Timeline } from '../../shared/ids.ts'
import type { Log } from '../../shared/log.ts'
import { type KnownRevocation, notUnderstood, type RevocationRow } from '../../shared/verifier/revocation-row.ts'
import type { Kek } from '../../shared/sealing.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import { syncDirectory } from '../../shared/files/positional-io.ts'
import { KeyTable } from '../../shared/verifier/key-table.ts'
import { deletionMs, outlivedBefore } from '../../shared/verifier/outlived.ts'
import { TABLE_SEED_BYTES } from '../../shared/verifier/revocation-table.ts'
import { Revocations } from '../../shared/verifier/revocations.ts'
import type { TokenTables } from '../../shared/verifier/verifier.ts'
import { inBatches, ROWS_A_READ, takeCensus, type TableFindings, type TakeLost } from './census.ts'
import { loadTable, saveTable } from './table-file.ts'

export interface TablesOptions {
  readonly cluster: string
  readonly ring: readonly Kek[]
  readonly entropy: Entropy
  readonly timers: Pick<Timers, 'soon'>
  readonly log: Log
  /** File of the saved table of revocations; undefined if none is saved. */
  readonly savedPath?: string
  /** Called with the rows that were read from pages, in order. */
  readonly onRows?: RowObserver
}

/** The database that the tables are read from. It is replaced with the database file. */
export interface TableSource {
  readonly reader: Database
  readonly meta: MetaReader
}

/** Rows that are handed over at a time, few enough to be written to a file in one turn. */
const ROWS_A_PART = 250

/** The tables that the verifier reads. Every change is synchronous; long work runs in parts. */
export class Tables implements TokenTables {
  readonly #options: TablesOptions
  readonly #keys: KeyTable = new KeyTable()
  readonly #opened: OpenedKeys = new Map()
  /** The result of the last read of keys. */
  #keysRead: KeysRead | undefined
  #revocations: Revocations
  #source: (TableSource & { readonly keys: KeyReader; readonly revocations: RevocationLog }) | undefined
  #meta: Meta | undefined
  #publicKey: Uint8Array | undefined
  /** Revocations of the present timeline up to this number were read from the pages. */
  #fromPages = 0
  /** Revocations of this timeline up to this number came on the stream, without a gap. */
  #streamed: { readonly timeline: Timeline | undefined; readonly seq: number } = { timeline: undefined, seq: 0 }
  /** Revocations that were outlived at this time may be gone from the table. Unix milliseconds. */
  #sweptMs = 0
  #uninterpretable: string | undefined
  #poison: string | undefined
  /** A new table that is being built and replaces the present one when it is complete. */
  #rebuilt: Revocations | undefined
  #saving: Promise<void> = Promise.resolve()
  /** True while a saved table could contain revocations that an operator gave up. */
  #savingSuspended = false

  constructor(options: TablesOptions) {
    this.#options = options
    this.#revocations = new Revocations({ seed: options.entropy.bytes(TABLE_SEED_BYTES) })
  }

  key: TokenTables['key'] = (kid) => this.#keys.get(kid)

  revoked: TokenTables['revoked'] = (kid, nonce) => this.#revocations.revoked(kid, nonce)

  get cutOffs(): TokenTables['cutOffs'] {
    return this.#revocations.cutOffs
  }

  /** The database that is read now; undefined without one. */
  get source(): TableSource | undefined {
    return this.#source
  }

  /** The `meta` row that the tables were last read at. */
  get meta(): Meta | undefined {
    return this.#meta
  }

  /** The authority's public key; undefined without a database. */
  get publicKey(): Uint8Array | undefined {
    return this.#publicKey
  }

  get counts(): { readonly keys: number; readonly revocations: number } {
    return { keys: this.#keys.size, revocations: this.#revocations.size }
  }

  /** Number of the last revocation that was read from the applied pages. */
  get revocationsInPages(): number {
    return this.#fromPages
  }

  /** Number up to which all revocations of the pages' timeline are known, from the pages or the stream. */
  get revocationSeq(): number {
    const { timeline, seq } = this.#streamed
    return timeline === this.#meta?.timeline ? Math.max(this.#fromPages, seq) : this.#fromPages
  }

  /** The message if no token can be judged: there is a revocation of a kind that only a newer version knows (V7). */
  get uninterpretable(): string | undefined {
    return this.#uninterpretable
  }

  /** The message of an alarm about a malformed revocation. The token that it names is denied all the same. */
  get poison(): string | undefined {
    return this.#poison
  }

  /** Reads from another database file. Revocations in the tables stay. Throws kek_wrong for the first file of a process. */
  attach(source: TableSource | undefined): void {
    if (source === undefined) return void (this.#source = undefined)
    const { reader, meta } = source
    this.#source = { reader, meta, keys: new KeyReader(reader, this.#opened), revocations: new RevocationLog(reader) }
    this.#publicKey = readPublicKey(reader)
    this.#meta = undefined
    const first = this.#keysRead === undefined
    this.refresh()
    if (first) this.#requireAnyKey(reader)
  }

  /** The keys that the KEKs at hand do not open, as of the last read. */
  get keysRead(): Pick<KeysRead, 'stale' | 'unopened'> {
    return this.#keysRead ?? { stale: [], unopened: [] }
  }

  /** Reads the changes since the last call. It is cheap if neither keys nor revocations have changed. */
  refresh(): void {
    if (this.#source === undefined) return
    const before = this.#meta
    const meta = this.#source.meta.read()
    // A newer primary may have raised the schema with this transaction: rows may have another meaning now.
    if (before?.schema !== meta.schema) checkMeta(meta, this.#options.cluster, 'the copy')
    if (before?.timeline !== meta.timeline) this.#fromPages = this.#loadSaved(meta)
    if (before?.keyGeneration !== meta.keyGeneration || before.timeline !== meta.timeline) this.#readKeys()
    // Rows that came on the stream, usually before their pages, are not read again.
    if (this.#streamed.timeline === meta.timeline) {
      this.#fromPages = Math.max(this.#fromPages, Math.min(this.#streamed.seq, meta.revocationSeq))
    }
    // A row that is not understood does not count as known: after an upgrade reading continues at it.
    while (this.#fromPages < meta.revocationSeq && this.#uninterpretable === undefined) this.#readRevocations(meta)
    this.#meta = meta
  }

  /** Adds rows from the stream. All revocations of the timeline up to number `complete` are known now. */
  add(rows: readonly RevocationRow[], complete: number, timeline: Timeline | undefined): void {
    this.deny(rows)
    this.#streamed = { timeline, seq: complete }
  }

  /** Denies what the rows name from now on. It does not change the numbers up to which a history is known. */
  deny(rows: Iterable<RevocationRow>): void {
    for (const row of rows) {
      if (row.kind === 'unknown') this.#setUninterpretable(notUnderstood(row))
      else this.#revocations.take(row)
      if (row.kind !== 'unknown') this.#rebuilt?.take(row)
      if (row.kind === 'token' && row.poison === true) this.#setPoison(row.seq)
    }
  }

  /**
   * Deletes outlived revocations from memory. A purge at the primary raises the issue clock first, so this sweep deletes the
   * same rows. `ownMs`: the deletion clock of this replica. The sweep works in parts, between verifications.
   */
  async sweep(ownMs: number, signal: AbortSignal): Promise<void> {
    const nowMs = deletionMs(this.#meta?.issueClockMs ?? 0, ownMs)
    const before = outlivedBefore(nowMs)
    this.#sweptMs = Math.max(this.#sweptMs, nowMs)
    for (let slot: number | undefined = 0; slot !== undefined && !signal.aborted;) {
      slot = this.#revocations.sweep(slot, before)
      await turn(this.#options.timers)
    }
    this.#revocations.shrink()
  }

  /**
   * Compares the table with the pages and with the rows that are not in the pages. Adds missing rows. At the end `takeLost`
   * gets the rows that no file has. Undefined if it was aborted, or if entries of the table moved meanwhile.
   */
  async compare(
    outsidePages: Iterable<RevocationRow>,
    signal: AbortSignal,
    takeLost: TakeLost,
  ): Promise<TableFindings | undefined> {
    const { timers } = this.#options
    const revocations = this.#revocations
    const { timeline, issueClockMs = 0 } = this.#meta ?? {}
    return takeCensus({
      revocations,
      outsidePages,
      pagesAfter: (after) => {
        const rows = this.#source?.revocations.after(after, ROWS_A_READ) ?? []
        return rows.filter(({ seq }) => seq <= this.#fromPages)
      },
      sweptMs: this.#sweptMs,
      issueClockMs,
      isValid: () => !signal.aborted && revocations === this.#revocations && timeline === this.#meta?.timeline,
      timers,
      takeLost,
    })
  }

  /** All revocations in the table, without actor and reason, in parts. The table may change between two of them. */
  *denied(): Generator<readonly KnownRevocation[]> {
    yield* inBatches(this.#revocations.rows(), ROWS_A_PART)
  }

  /** True if the table has this revocation, or one of the same kind that covers it. */
  enforces(row: KnownRevocation): boolean {
    return this.#revocations.covers(row)
  }

  /**
   * Rebuilds the table without revocations that an operator gave up: from the pages, which the caller has compared with their
   * checksum, and from the rows that are not in the pages. A cut-off is a maximum, so it cannot just be removed. All else that
   * the present table has stays, whether a file has it or not. Rows that arrive during the rebuild go into both tables. False
   * if there are no pages, or they were replaced during the rebuild; then nothing has changed.
   */
  async rebuild(outsidePages: Iterable<RevocationRow>, isGivenUp: (row: KnownRevocation) => boolean): Promise<boolean> {
    const seed = this.#options.entropy.bytes(TABLE_SEED_BYTES)
    const rebuilt = new Revocations({ seed, expected: this.#revocations.size })
    this.#rebuilt = rebuilt
    try {
      if (!(await this.#fill(rebuilt, outsidePages, isGivenUp))) return false
      this.#revocations = rebuilt
      this.#savingSuspended = false
      return true
    } finally {
      this.#rebuilt = undefined
    }
  }

  async #fill(
    rebuilt: Revocations,
    outsidePages: Iterable<RevocationRow>,
    isGivenUp: (row: KnownRevocation) => boolean,
  ): Promise<boolean> {
    const [source, timeline, before] = [this.#source, this.#meta?.timeline, this.#revocations]
    const take = async (rows: readonly RevocationRow[]): Promise<void> => {
      for (const row of rows) if (row.kind !== 'unknown') rebuilt.take(row)
      await turn(this.#options.timers)
    }
    for (const rows of inBatches(outsidePages)) await take(rows)
    for (let after = 0; after < this.#fromPages;) {
      if (source === undefined || source !== this.#source || timeline !== this.#meta?.timeline) return false
      const rows = source.revocations.after(after, ROWS_A_READ)
      await take(rows.filter(({ seq }) => seq <= this.#fromPages))
      after = rows.at(-1)?.seq ?? this.#fromPages
    }
    for (const rows of inBatches(before.rows())) {
      await take(rows.filter((row) => !rebuilt.covers(row) && !isGivenUp(row)))
    }
    return source !== undefined && source === this.#source
  }

  /** Deletes the saved table, durably. None is saved again before the table is rebuilt. */
  async dropSaved(): Promise<void> {
    const { savedPath } = this.#options
    this.#savingSuspended = true
    await this.#saving
    if (savedPath === undefined || !existsSync(savedPath)) return
    rmSync(savedPath)
    syncDirectory(dirname(savedPath))
  }

  /**
   * Saves the table for the next start, which then reads only later rows from the pages. If the last row was purged, nothing is
   * saved, because that row identifies the history.
   */
  save(): Promise<void> {
    const saved = this.#save()
    this.#saving = saved.catch(() => undefined)
    return saved
  }

  async #save(): Promise<void> {
    const { savedPath } = this.#options
    const seq = this.#fromPages
    const last = this.#rowOf(seq)
    if (savedPath === undefined || this.#savingSuspended || this.#meta === undefined || last === undefined) return
    const { timeline } = this.#meta
    const [poison, sweptMs, revocations] = [this.#poison, this.#sweptMs, this.#revocations]
    await saveTable(savedPath, { timeline, seq, last, sweptMs, poison, revocations })
  }

  /** Loads the saved table if the present one is empty. Returns the number up to which the pages need not be read. */
  #loadSaved({ timeline, issueClockMs }: Meta): number {
    const { savedPath, log } = this.#options
    if (savedPath === undefined || this.#revocations.size > 0) return 0
    const saved = loadTable(savedPath)
    // A table that is ahead of the pages has no row there.
    if (saved === undefined || saved.timeline !== timeline || saved.last !== this.#rowOf(saved.seq)) return 0
    // The saved table was swept by a later time than these pages have reached: rows that they need may be missing.
    if (saved.sweptMs > issueClockMs) return 0
    log.debug({ seq: saved.seq }, 'revocations were read from the saved table')
    this.#revocations = saved.revocations
    this.#sweptMs = saved.sweptMs
    this.#poison = saved.poison
    return saved.seq
  }

  /** A row with all its columns, time and actor included, as text. Undefined if there is no such row. */
  #rowOf(seq: number): string | undefined {
    if (this.#source === undefined) return undefined
    const [row] = readRevocationColumns(this.#source.reader, seq - 1, 1)
    return row?.seq === seq ? JSON.stringify(row.columns) : undefined
  }

  #readKeys(): void {
    const { ring, cluster } = this.#options
    const read = this.#source?.keys.read(ring, cluster) ?? { keys: [], stale: [], unopened: [] }
    const unopened = read.unopened.map((key) => ({ ...key, derivedKey: undefined }))
    this.#keysRead = read
    this.#keys.replace([...read.keys, ...unopened].map((key) => [key.kid, key]))
  }

  /** Throws kek_wrong if no key can be opened at start: it would not open later either, so the operator must know now. */
  #requireAnyKey(reader: Database): void {
    if (this.#keysRead?.keys.length === 0) readSigningKey(reader, this.#options.ring, this.#options.cluster)
  }

  #readRevocations(meta: Meta): void {
    const after = this.#fromPages
    const rows = this.#source?.revocations.after(after, ROWS_A_READ) ?? []
    this.deny(rows)
    const unknown = rows.findIndex(({ kind }) => kind === 'unknown')
    const understood = unknown === -1 ? rows : rows.slice(0, unknown)
    // Numbers without a row were purged.
    const through = unknown === -1 ? (rows.at(-1)?.seq ?? meta.revocationSeq) : (rows[unknown]?.seq ?? 1) - 1
    if (through > after) this.#options.onRows?.(meta, { after, rows: understood, through })
    this.#fromPages = through
  }

  #setUninterpretable(message: string): void {
    this.#uninterpretable = message
  }

  #setPoison(seq: number): void {
    this.#poison = `revocation ${seq} is malformed; the token that it names is denied`
  }
}
