/** Targets of the archive, which an attacker may be able to write: entries of the manifest, claims of epochs, files. */
import { DirectoryStorage } from '../../../shared/archive/directory.ts'
import { highestClaim } from '../../../shared/archive/epoch-claim.ts'
import { claimEpoch } from '../../../primary/archiver/chain/claim-epoch.ts'
import { type ArchivedFile, epochKey, segmentKey } from '../../../shared/archive/layout.ts'
import {
  decodeEntry,
  encodeEntry,
  hashOfEntry,
  MANIFEST_GENESIS,
  type ManifestEntry,
} from '../../../shared/archive/manifest.ts'
import { emptyManifest, follow } from '../../../shared/archive/manifest-state.ts'
import { readPackedPages, readArchived, readSegmentFile, streamSegmentFile } from '../../../shared/archive/read-file.ts'
import { type DocumentKind, encodeSigned } from '../../../shared/archive/signed-document.ts'
import { ed25519Sign, sha256Hex } from '../../../shared/crypto.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { epoch, txid } from '../../../shared/ids.ts'
import { encodeSegment } from '../../../shared/ltx/encoder.ts'
import { positionText } from '../../../shared/position.ts'
import { AUTHORITY, CLUSTER, POSITION, TIMELINE } from '../fixed.ts'
import { mendSegment } from '../mend-segment.ts'
import { scratchFile, scratchFolder } from '../scratch.ts'
import { requireBytes, requireSame, type Target } from '../target.ts'

const RANGE = { minTxid: txid(5), maxTxid: txid(6) }
const FIELDS = {
  ...RANGE,
  pageSize: 512,
  commit: 2,
  timestampMs: 5,
  walOffset: 0,
  walSize: 0,
  walSalt1: 0,
  walSalt2: 0,
  nodeId: 0n,
  epoch: epoch(3),
  preApply: POSITION.checksum,
  postApply: POSITION.checksum,
}
const SEGMENT = encodeSegment(FIELDS, [{ pgno: 2, data: Buffer.alloc(512, 'page') }])

const FILE: ArchivedFile = {
  ...RANGE,
  key: segmentKey(0, RANGE),
  level: 0,
  bytes: SEGMENT.length,
  timestampMs: 5,
  sha256: sha256Hex(SEGMENT),
  epoch: epoch(3),
  postApply: POSITION.checksum,
}

const ENTRY: ManifestEntry = {
  cluster: CLUSTER,
  epoch: epoch(3),
  timeline: TIMELINE,
  seq: 1,
  previous: MANIFEST_GENESIS,
  atMs: 5,
  base: false,
  head: positionText(POSITION),
  added: [FILE],
  removed: [],
}

/** Signed again, as only the authority can: by another version of it, for instance. */
const signedAgain =
  (kind: DocumentKind) =>
  (input: Buffer): Buffer => {
    const line = input.subarray(0, Math.max(0, input.indexOf('\n')))
    const signature = ed25519Sign(AUTHORITY.privateKey, Buffer.concat([Buffer.from(`macaroond ${kind} 1\n`), line]))
    return Buffer.concat([line, Buffer.from(`\n${signature.toString('base64url')}\n`)])
  }

function runEntry(input: Buffer): string {
  const entry = decodeEntry(input, AUTHORITY.publicKey, 'entry')
  const again = encodeEntry(entry, AUTHORITY.privateKey)
  // Other spaces, or an order of their own, only the authority could have signed.
  const sameLine = again.subarray(0, again.indexOf('\n')).equals(input.subarray(0, input.indexOf('\n')))
  if (sameLine) requireBytes(input, again, 'a second encoding was accepted')
  requireSame(textOf(decodeEntry(again, AUTHORITY.publicKey, 'entry')), textOf(entry), 'it reads differently again')
  const state = follow(emptyManifest(), entry, hashOfEntry(input))
  return `${entry.base ? 'base' : 'entry'}${state.head === undefined ? ' without a head' : ''}`
}

const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `${part}` : part))

const CLAIM = { cluster: CLUSTER, epoch: epoch(3), timeline: TIMELINE, atMs: 5 }

let storage: Promise<DirectoryStorage> | undefined

function archive(): Promise<DirectoryStorage> {
  for (const folder of ['macaroond/epochs', 'ltx/0']) scratchFolder(`archive/${folder}`)
  storage ??= DirectoryStorage.open(scratchFolder('archive'), { blocking: true })
  return storage
}

async function claims(): Promise<readonly Buffer[]> {
  const [written, key] = [await archive(), epochKey(CLAIM.epoch)]
  await written.delete(key)
  await claimEpoch(written, CLAIM, AUTHORITY)
  return [(await written.get(key))!]
}

async function runClaim(input: Buffer): Promise<string> {
  const found = await archive()
  scratchFile(`archive/${epochKey(CLAIM.epoch)}`, input)
  const claim = await highestClaim(found, AUTHORITY.publicKey)
  if (claim?.epoch !== CLAIM.epoch) throw new Error('a claim of another epoch than its name says')
  const again = encodeSigned('archive epoch', claim, AUTHORITY.privateKey)
  if (again.indexOf('\n') === input.indexOf('\n')) requireBytes(again, input, 'a second encoding was accepted')
  return 'claimed'
}

/** With the hash of the manifest, and as in an archive of litestream's, where nobody signed one. */
async function runFile(input: Buffer): Promise<string> {
  const found = await archive()
  scratchFile(`archive/${FILE.key}`, input)
  const unsigned = { ...FILE, bytes: input.length, sha256: undefined, epoch: undefined, postApply: undefined }
  const ends = [FILE, unsigned].map(async (file) => {
    const whole = await endOf(() => readSegmentFile(found, file).then(({ header }) => header))
    const streamed = await endOf(() => streamSegmentFile(found, file, { onPage: () => undefined }))
    const blocks = await endOf(async () => readPackedPages(file, await readArchived(found, file), () => undefined))
    requireSame(
      [streamed.refused, blocks.refused],
      [whole.refused, whole.refused],
      'read in other ways it is another one',
    )
    return whole.refused
  })
  const [signed, listed] = await Promise.all(ends)
  if (signed === false) requireBytes(input, SEGMENT, 'a file was read that is not what was archived')
  return `${signed === true ? 'refused' : 'read'}, unsigned ${listed === true ? 'refused' : 'read'}`
}

async function endOf(read: () => Promise<unknown>): Promise<{ readonly refused: boolean }> {
  try {
    await read()
    return { refused: false }
  } catch (error) {
    if (error instanceof MacaroondError && error.code === 'archive_damaged') return { refused: true }
    throw error
  }
}

export const ARCHIVE_TARGETS: readonly Target[] = [
  {
    name: 'manifest entry',
    seeds: () =>
      [ENTRY, { ...ENTRY, base: true, seq: 9, head: null, removed: [FILE.key] }].map((entry) =>
        encodeEntry(entry, AUTHORITY.privateKey),
      ),
    run: runEntry,
    mend: signedAgain('archive manifest'),
    codes: ['archive_damaged'],
    every: 4,
    reach: ['entry', 'base without a head', 'archive_damaged'],
  },
  {
    name: 'claim',
    seeds: claims,
    run: runClaim,
    mend: signedAgain('archive epoch'),
    codes: ['archive_damaged'],
    every: 16,
    reach: ['claimed', 'archive_damaged'],
  },
  {
    name: 'archived file',
    seeds: () => [SEGMENT],
    run: runFile,
    mend: mendSegment,
    codes: [],
    every: 16,
    reach: ['refused, unsigned refused', 'refused, unsigned read'],
  },
]
