/**
 * What this replica verifies by: keys and revocations in memory, built from its own database and fed by the stream.
 * Revocations only ever grow here (S3), but for what hits nothing any more: a snapshot, a reopened database or a newer
 * timeline takes none away.
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
import { isOutlived, outlivedBefore } from '../../shared/verifier/outlived.ts'
import { TABLE_SEED_BYTES, type UnconfirmedSlots } from '../../shared/verifier/revocation-table.ts'
import { Revocations } from '../../shared/verifier/revocations.ts'
import type { TokenTables } from '../../shared/verifier/verifier.ts'
import { loadTable, saveTable } from './table-file.ts'

export interface TablesOptions {
  readonly cluster: string
  readonly ring: readonly Kek[]
  readonly entropy: Entropy
  readonly timers: Pick<Timers, 'soon'>
  readonly log: Log
  /** Where the table of revocations is kept for the next start; undefined for nowhere. */
  readonly savedAt?: string
  /** What was read from pages, in its order. */
  readonly onRows?: RowObserver
}

/** Where the tables are read from; replaced when the database file is. */
export interface TableSource {
  readonly reader: Database
  readonly meta: MetaReader
}

/** What a comparison of the table with the files has shown. */
export interface TableFindings {
  /** Revocations that the files name and the table did not deny. */
  readonly missing: number
  /** Revocations that the table denies and no file names: a restart could forget them. */
  readonly unaccounted: number
}

/** Few enough to be garbage before the next ones come: larger reads make V8 keep more memory, for good. */
const ROWS_A_READ = 500

export class Tables implements TokenTables {
  readonly #options: TablesOptions
  readonly #keys: KeyTable = new KeyTable()
  readonly #opened: OpenedKeys = new Map()
  /** As they were last read. */
  #keysRead: KeysRead | undefined
  #revocations: Revocations
  #source: (TableSource & { readonly keys: KeyReader; readonly revocations: RevocationLog }) | undefined
  #meta: Meta | undefined
  #publicKey: Uint8Array | undefined
  /** Revocations up to here are in the pages, and known, in this timeline. */
  #fromPages = 0
  /** Revocations up to here came on the stream, without a gap, in the timeline that it is of. */
  #streamed: { readonly timeline: Timeline | undefined; readonly seq: number } = { timeline: undefined, seq: 0 }
  /** What was outlived at this time may be gone from the table. */
  #sweptMs = 0
  #uninterpretable: string | undefined
  #poison: string | undefined
  /** Takes the place of the table once it is complete. */
  #rebuilt: Revocations | undefined
  #saving: Promise<void> = Promise.resolve()
  /** What is saved now could hold what an operator has given up. */
  #savesNothing = false

  constructor(options: TablesOptions) {
    this.#options = options
    this.#revocations = new Revocations({ seed: options.entropy.bytes(TABLE_SEED_BYTES) })
  }

  key: TokenTables['key'] = (kid) => this.#keys.get(kid)

  revoked: TokenTables['revoked'] = (kid, nonce) => this.#revocations.revoked(kid, nonce)

  get cutOffs(): TokenTables['cutOffs'] {
    return this.#revocations.cutOffs
  }

  /** The pages as they are read now. */
  get source(): TableSource | undefined {
    return this.#source
  }

  /** State of the database that the tables were last read from. */
  get meta(): Meta | undefined {
    return this.#meta
  }

  /** The authority's public key; undefined as long as there is no database. */
  get publicKey(): Uint8Array | undefined {
    return this.#publicKey
  }

  get counts(): { readonly keys: number; readonly revocations: number } {
    return { keys: this.#keys.size, revocations: this.#revocations.size }
  }

  /** Revocations that the applied pages hold. */
  get revocationsInPages(): number {
    return this.#fromPages
  }

  /** Revocations known without a gap in the history of the pages, from these or from the stream. */
  get revocationSeq(): number {
    const { timeline, seq } = this.#streamed
    return timeline === this.#meta?.timeline ? Math.max(this.#fromPages, seq) : this.#fromPages
  }

  /** Why nothing can be said of any token: a revocation of a kind that a newer version wrote (V7). */
  get uninterpretable(): string | undefined {
    return this.#uninterpretable
  }

  /** A revocation that was not what its kind says, of a token that is denied all the same. */
  get poison(): string | undefined {
    return this.#poison
  }

  /** Other database file, same tables: what was known stays known. Throws kek_wrong for the first one of a process. */
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

  /** Keys as they were last read: which of them the ring does not open. */
  get keysRead(): Pick<KeysRead, 'stale' | 'unopened'> {
    return this.#keysRead ?? { stale: [], unopened: [] }
  }

  /** Reads what the last applied transaction changed. Cheap when it changed neither keys nor revocations. */
  refresh(): void {
    if (this.#source === undefined) return
    const before = this.#meta
    const meta = this.#source.meta.read()
    // A newer primary may have raised it with the transaction that was just applied: rows may mean something else now.
    if (before?.schema !== meta.schema) checkMeta(meta, this.#options.cluster, 'the copy')
    if (before?.timeline !== meta.timeline) this.#fromPages = this.#takeSaved(meta)
    if (before?.keyGeneration !== meta.keyGeneration || before.timeline !== meta.timeline) this.#readKeys()
    // What the stream brought already is not read once more: mostly it was here before its pages.
    if (this.#streamed.timeline === meta.timeline) {
      this.#fromPages = Math.max(this.#fromPages, Math.min(this.#streamed.seq, meta.revocationSeq))
    }
    // What is not understood is not counted as known: pages are read on from it after an upgrade.
    while (this.#fromPages < meta.revocationSeq && this.#uninterpretable === undefined) this.#readRevocations(meta)
    this.#meta = meta
  }

  /** Rows that came ahead of their pages. `complete`: all revocations of the timeline up to this number are known now. */
  add(rows: readonly RevocationRow[], complete: number, timeline: Timeline | undefined): void {
    this.deny(rows)
    this.#streamed = { timeline, seq: complete }
  }

  /** What rows name is denied from now on, whatever else is known of their history. */
  deny(rows: Iterable<RevocationRow>): void {
    for (const row of rows) {
      if (row.kind === 'unknown') this.#refuseToGuess(notUnderstood(row))
      else this.#revocations.take(row)
      if (row.kind !== 'unknown') this.#rebuilt?.take(row)
      if (row.kind === 'token' && row.poison === true) this.#tellPoison(row.seq)
    }
  }

  /**
   * Lets go of what hits nothing any more, by the issue clock in the pages: that time has come for everybody who has them, and
   * a start takes up from it. Never beyond `latestMs`, the latest time that this replica believes. A purge at the primary
   * moves the issue clock too, so whatever it deleted goes here. A part at a time, so that verifications go on.
   */
  async sweep(latestMs: number, signal: AbortSignal): Promise<void> {
    const nowMs = Math.min(this.#meta?.issueClockMs ?? 0, Math.floor(latestMs))
    const before = outlivedBefore(nowMs)
    this.#sweptMs = Math.max(this.#sweptMs, nowMs)
    for (let slot: number | undefined = 0; slot !== undefined && !signal.aborted;) {
      slot = this.#revocations.sweep(slot, before)
      await turn(this.#options.timers)
    }
    this.#revocations.shrink()
  }

  /**
   * Compares the table with the pages and with `kept`, the rows of every other file; what is missing is denied from now on.
   * Rows that the issue clock has outlived are left out. Undefined where it ended early, or the table was made anew meanwhile.
   */
  async compare(kept: Iterable<RevocationRow>, signal: AbortSignal): Promise<TableFindings | undefined> {
    const revocations = this.#revocations
    const timeline = this.#meta?.timeline
    const goesOn = (): boolean =>
      !signal.aborted && revocations === this.#revocations && timeline === this.#meta?.timeline
    revocations.beginCensus()
    try {
      // Before the pages: a row that leaves another file meanwhile is in the pages by then.
      let missing = 0
      for (const rows of inBatches(kept)) {
        missing += this.#confirm(rows)
        await turn(this.#options.timers)
        if (!goesOn()) return undefined
      }
      for (let after = 0; goesOn();) {
        const rows = this.#source?.revocations.after(after, ROWS_A_READ) ?? []
        const known = rows.filter(({ seq }) => seq <= this.#fromPages)
        missing += this.#confirm(known)
        const last = known.at(-1)
        if (last === undefined) return await this.#unaccounted(missing, goesOn)
        after = last.seq
        await turn(this.#options.timers)
      }
      return undefined
    } finally {
      revocations.endCensus()
    }
  }

  /** All that is denied now, without who asked for it and why; a part at a time. */
  *denied(): Generator<KnownRevocation> {
    yield* this.#revocations.rows()
  }

  /**
   * Makes the table anew from the pages and from `kept`, the rows of every other file: that is how an operator's `forget` takes
   * something away, because a cut-off is a maximum and cannot be subtracted. What comes meanwhile is in both tables. False where
   * there are no pages, or others meanwhile: then nothing has changed.
   */
  async rebuild(kept: Iterable<RevocationRow>): Promise<boolean> {
    const [source, timeline] = [this.#source, this.#meta?.timeline]
    const seed = this.#options.entropy.bytes(TABLE_SEED_BYTES)
    const rebuilt = new Revocations({ seed, expected: this.#revocations.size })
    this.#rebuilt = rebuilt
    const take = async (rows: readonly RevocationRow[]): Promise<void> => {
      for (const row of rows) if (row.kind !== 'unknown') rebuilt.take(row)
      await turn(this.#options.timers)
    }
    for (const rows of inBatches(kept)) await take(rows)
    for (let after = 0; after < this.#fromPages;) {
      if (source === undefined || source !== this.#source || timeline !== this.#meta?.timeline) return false
      const rows = source.revocations.after(after, ROWS_A_READ)
      await take(rows.filter(({ seq }) => seq <= this.#fromPages))
      after = rows.at(-1)?.seq ?? this.#fromPages
    }
    if (source === undefined || source !== this.#source) return false
    this.#revocations = rebuilt
    this.#rebuilt = undefined
    this.#savesNothing = false
    return true
  }

  /** Durably; until the table was made anew none is saved. */
  async dropSaved(): Promise<void> {
    const { savedAt } = this.#options
    this.#savesNothing = true
    await this.#saving
    if (savedAt === undefined || !existsSync(savedAt)) return
    rmSync(savedAt)
    syncDirectory(dirname(savedAt))
  }

  /**
   * Where the next start goes on from: what it would read from the pages is the same. Not written where the last row was
   * purged, because nothing says then which history it was.
   */
  save(): Promise<void> {
    const saved = this.#save()
    this.#saving = saved.catch(() => undefined)
    return saved
  }

  async #save(): Promise<void> {
    const { savedAt } = this.#options
    const seq = this.#fromPages
    const last = this.#rowOf(seq)
    if (savedAt === undefined || this.#savesNothing || this.#meta === undefined || last === undefined) return
    const { timeline } = this.#meta
    const [poison, sweptMs, revocations] = [this.#poison, this.#sweptMs, this.#revocations]
    await saveTable(savedAt, { timeline, seq, last, sweptMs, poison, revocations })
  }

  /** Up to which revocation the pages need not be read. Only a table that is empty is replaced: nothing is taken away. */
  #takeSaved({ timeline, issueClockMs }: Meta): number {
    const { savedAt, log } = this.#options
    if (savedAt === undefined || this.#revocations.size > 0) return 0
    const saved = loadTable(savedAt)
    // A table that is ahead of the pages has no row there.
    if (saved === undefined || saved.timeline !== timeline || saved.last !== this.#rowOf(saved.seq)) return 0
    // It was swept by a time that these pages do not know to have come: they have rows that are still needed.
    if (saved.sweptMs > issueClockMs) return 0
    log.debug({ seq: saved.seq }, 'revocations are taken from the table that was saved')
    this.#revocations = saved.revocations
    this.#sweptMs = saved.sweptMs
    this.#poison = saved.poison
    return saved.seq
  }

  /** With every column that it has: when and by whom as well. Undefined for one that is not there. */
  #rowOf(seq: number): string | undefined {
    if (this.#source === undefined) return undefined
    const [row] = readRevocationColumns(this.#source.reader, seq - 1, 1)
    return row?.seq === seq ? JSON.stringify(row.columns) : undefined
  }

  /** How many of them were not denied here. */
  #confirm(rows: Iterable<RevocationRow>): number {
    const issueClockMs = this.#meta?.issueClockMs ?? 0
    let missing = 0
    for (const row of rows) {
      if (row.kind === 'unknown' || this.#revocations.confirm(row) || isOutlived(row, issueClockMs)) continue
      this.#revocations.take(row)
      missing += 1
    }
    return missing
  }

  async #unaccounted(missing: number, goesOn: () => boolean): Promise<TableFindings | undefined> {
    const before = outlivedBefore(this.#meta?.issueClockMs ?? 0)
    let unaccounted = this.#revocations.unconfirmedCutOffs()
    for (let slot: number | undefined = 0; slot !== undefined;) {
      const part: UnconfirmedSlots | undefined = goesOn()
        ? this.#revocations.unconfirmedTokens(slot, before)
        : undefined
      if (part === undefined) return undefined
      unaccounted += part.count
      slot = part.next
      await turn(this.#options.timers)
    }
    return { missing, unaccounted }
  }

  #readKeys(): void {
    const { ring, cluster } = this.#options
    const read = this.#source?.keys.read(ring, cluster) ?? { keys: [], stale: [], unopened: [] }
    const unopened = read.unopened.map((key) => ({ ...key, derivedKey: undefined }))
    this.#keysRead = read
    this.#keys.replace([...read.keys, ...unopened].map((key) => [key.kid, key]))
  }

  /** Throws kek_wrong: a ring that opens nothing at a start will open nothing later, and the operator has to know now. */
  #requireAnyKey(reader: Database): void {
    if (this.#keysRead?.keys.length === 0) readSigningKey(reader, this.#options.ring, this.#options.cluster)
  }

  #readRevocations(meta: Meta): void {
    const after = this.#fromPages
    const rows = this.#source?.revocations.after(after, ROWS_A_READ) ?? []
    this.deny(rows)
    const unknown = rows.findIndex(({ kind }) => kind === 'unknown')
    const understood = unknown === -1 ? rows : rows.slice(0, unknown)
    // Numbers that no row has were purged.
    const through = unknown === -1 ? (rows.at(-1)?.seq ?? meta.revocationSeq) : (rows[unknown]?.seq ?? 1) - 1
    if (through > after) this.#options.onRows?.(meta, { after, rows: understood, through })
    this.#fromPages = through
  }

  #refuseToGuess(message: string): void {
    this.#uninterpretable = message
  }

  #tellPoison(seq: number): void {
    this.#poison = `revocation ${seq} is malformed; the token that it names is denied`
  }
}

function* inBatches<T>(all: Iterable<T>): Generator<readonly T[]> {
  let batch: T[] = []
  for (const one of all) {
    batch.push(one)
    if (batch.length < ROWS_A_READ) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
