/** Every source of a restore, with every kind of damage: what is done to it, and what a restore then says. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  cutBytes,
  cutDatabase,
  damageJournal,
  editPosition,
  entriesOf,
  type Fixture,
  flip,
  flipRevocation,
  type Left,
  newestLog,
  plantView,
  put,
  putDatabase,
  segmentsOf,
  sql,
  sqlAndRecord,
  sqlInWal,
  swap,
  zeroPageOf,
} from './damage.ts'

export type Source =
  | 'archive'
  | 'unsigned archive'
  | 'replica’s copy'
  | 'copy and archive'
  | 'running replica'
  | 'old disk'
  | 'primary, repaired'

/** `refuses`: nothing is restored; `asks`: only with the word that the text names; `tells`: a note, and it goes on. */
export type Said = 'refuses' | 'asks' | 'asks for the head' | 'tells' | 'nothing'

export interface Case {
  readonly source: Source
  readonly damage: string
  readonly harm: (left: Left, fixture: Fixture) => void
  readonly said: Said
  readonly words: string
}

type Row = readonly [damage: string, said: Said, words: string, harm: Case['harm']]

const NEWEST = 'DELETE FROM revocations WHERE seq = (SELECT max(seq) FROM revocations)'
const TRIGGER = 'CREATE TRIGGER t AFTER INSERT ON revocations BEGIN DELETE FROM revocations; END'
const EDITED = "UPDATE audit SET actor = 'nobody' WHERE seq = 2"

const of = (source: Source, rows: readonly Row[]): readonly Case[] =>
  rows.map(([damage, said, words, harm]) => ({ source, damage, said, words, harm }))

const REPLICA = of('replica’s copy', [
  ['row deleted', 'asks', 'its record says', ({ replica }) => sql(replica, NEWEST)],
  ['row edited', 'asks', 'its record says', ({ replica }) => sql(replica, EDITED)],
  ['row deleted in the WAL', 'asks', 'its record says', ({ replica }) => sqlInWal(replica, NEWEST)],
  ['trigger added', 'refuses', 'view or trigger', ({ replica }) => sql(replica, TRIGGER)],
  ['page zeroed', 'asks', 'is not believed', ({ replica }) => zeroPageOf(replica, 'issued')],
  ['file cut', 'refuses', 'SQLITE_CORRUPT', ({ replica }) => cutDatabase(replica)],
  [
    'older file in place',
    'asks',
    'which is beyond its pages',
    ({ replica }, { before }) => putDatabase(before.replica, replica),
  ],
  [
    'older folder in place',
    'asks for the head',
    'which replicas could acknowledge|no answer with pages',
    ({ replica }, { before }) => put(before.replica, replica),
  ],
  ['position edited', 'asks', 'its record says', ({ replica }) => editPosition(replica)],
  ['position missing', 'asks', 'is not believed', ({ replica }) => rmSync(join(replica, 'position'))],
  ['position cut', 'asks', 'has no checksum for transaction', ({ replica }) => cutBytes(join(replica, 'position'), 41)],
  [
    'signature missing',
    'asks',
    'no signed position lies beside it',
    ({ replica }) => rmSync(join(replica, 'signed-position.json')),
  ],
  [
    'signature older',
    'tells',
    'are beyond the last signed position',
    ({ replica }, { before }) =>
      put(join(before.replica, 'signed-position.json'), join(replica, 'signed-position.json')),
  ],
  [
    'signature of another authority',
    'asks',
    'is not signed by the authority',
    ({ replica }, { other }) => put(join(other.replica, 'signed-position.json'), join(replica, 'signed-position.json')),
  ],
  [
    'journal cut',
    'tells',
    'ends as after a crash',
    ({ replica }) => cutBytes(join(replica, 'revocations.journal'), 1_000_000),
  ],
  ['journal damaged', 'asks', 'was whole before', ({ replica }) => damageJournal(replica)],
  ['journal missing', 'tells', 'no journal', ({ replica }) => rmSync(join(replica, 'revocations.journal'))],
  ['of another timeline', 'asks', 'is not believed', ({ replica }, { other }) => putDatabase(other.replica, replica)],
])

const older = ({ replica }: Left, { before }: Fixture): void =>
  put(join(before.replica, 'signed-position.json'), join(replica, 'signed-position.json'))

const FORGED = [
  ...of('replica’s copy', [
    ['row deleted, record made to fit', 'asks', 'the signature says', ({ replica }) => sqlAndRecord(replica, NEWEST)],
    [
      'the same, with an older signature',
      'tells',
      'are beyond the last signed position',
      (left, fixture) => {
        sqlAndRecord(left.replica, NEWEST)
        older(left, fixture)
      },
    ],
  ]),
  ...of('copy and archive', [
    [
      'row deleted, record made to fit, with an older signature',
      'asks',
      'the archive says',
      (left, fixture) => {
        sqlAndRecord(left.replica, NEWEST)
        older(left, fixture)
      },
    ],
    [
      'older folder in place',
      'asks for the head',
      'no answer with pages',
      ({ replica }, { before }) => put(before.replica, replica),
    ],
  ]),
]

/** Changed while the replica runs. Its primary is gone, and the restore asks it. */
const RUNNING = of('running replica', [
  ['row edited', 'asks', 'the disk changed pages of this replica', ({ replica }) => flipRevocation(replica)],
  [
    'journal damaged',
    'asks',
    'the revocation journal is damaged',
    ({ replica }) => flip(join(replica, 'revocations.journal'), 200),
  ],
  ['denials damaged', 'asks', 'denials is damaged', ({ replica }) => flip(join(replica, 'denials'), 200)],
])

const DISK = of('old disk', [
  ['row deleted', 'asks', 'its log says', ({ primary }) => sql(primary, NEWEST)],
  ['row edited', 'asks', 'its log says', ({ primary }) => sql(primary, EDITED)],
  ['row deleted in the WAL', 'asks', 'another program wrote', ({ primary }) => sqlInWal(primary, NEWEST)],
  [
    'transaction added to the WAL',
    'tells',
    'its log ends as after a crash, 1 transaction',
    ({ primary }) => sqlInWal(primary, `BEGIN; ${NEWEST}; UPDATE meta SET txid = txid + 1; COMMIT`),
  ],
  ['page zeroed', 'asks', 'the old disk', ({ primary }) => zeroPageOf(primary, 'issued')],
  ['file cut', 'asks', 'the old disk', ({ primary }) => cutDatabase(primary)],
  [
    'older file in place',
    'asks',
    'the database was put back to an older copy',
    ({ primary }, { before }) => putDatabase(before.primary, primary),
  ],
  [
    'older folder in place',
    'asks for the head',
    'no answer with pages',
    ({ primary }, { before }) => put(before.primary, primary),
  ],
  ['log cut', 'asks', 'its log ends at transaction', ({ primary }) => cutBytes(newestLog(primary), 200)],
  ['log damaged', 'asks', 'the old disk', ({ primary }) => flip(newestLog(primary), 200)],
  ['log missing', 'asks', 'no log lies beside it', ({ primary }) => rmSync(join(primary, 'log'), { recursive: true })],
  ['of another timeline', 'asks', 'the archive says', ({ primary }, { other }) => put(other.primary, primary)],
])

/** The same damage, where `macaroond repair` is to put it right: with its archive, and with no replica to ask. */
const REPAIRED = of('primary, repaired', [
  ['row deleted', 'nothing', '', ({ primary }) => sql(primary, NEWEST)],
  ['row edited', 'nothing', '', ({ primary }) => sql(primary, EDITED)],
  [
    'row deleted in the WAL',
    'tells',
    'another program wrote a transaction',
    ({ primary }) => sqlInWal(primary, NEWEST),
  ],
  ['trigger added', 'tells', 'view or trigger', ({ primary }) => sql(primary, TRIGGER)],
  ['page zeroed', 'nothing', '', ({ primary }) => zeroPageOf(primary, 'issued')],
  ['file cut', 'tells', 'cannot be read from the damaged pages', ({ primary }) => cutDatabase(primary)],
  ['file missing', 'asks for the head', 'no answer with pages', ({ primary }) => rmSync(join(primary, 'macaroond.db'))],
  ['older file in place', 'nothing', '', ({ primary }, { before }) => putDatabase(before.primary, primary)],
  [
    'older folder in place',
    'asks for the head',
    'no answer with pages',
    ({ primary }, { before }) => put(before.primary, primary),
  ],
  ['log cut', 'tells', 'its log ends as after a crash', ({ primary }) => cutBytes(newestLog(primary), 200)],
  ['log damaged', 'tells', 'its log has damaged records', ({ primary }) => flip(newestLog(primary), 200)],
  [
    'log missing',
    'asks for the head',
    'no answer with pages',
    ({ primary }) => rmSync(join(primary, 'log'), { recursive: true }),
  ],
  ['of another timeline', 'asks', 'this primary recorded', ({ primary }, { other }) => put(other.primary, primary)],
  [
    'page zeroed, and a file of the archive cut',
    'asks',
    'its size differs',
    ({ primary, archive }) => {
      zeroPageOf(primary, 'issued')
      cutBytes(segmentsOf(archive)[3]!, 100)
    },
  ],
  [
    'page zeroed, and the archive missing',
    'asks',
    'there is no archive',
    ({ primary, archive }) => {
      zeroPageOf(primary, 'issued')
      rmSync(archive, { recursive: true })
    },
  ],
  [
    'pages and log gone, and the archive missing',
    'refuses',
    'no source has the pages',
    ({ primary, archive }) => {
      zeroPageOf(primary, 'issued')
      rmSync(join(primary, 'log'), { recursive: true })
      rmSync(archive, { recursive: true })
    },
  ],
])

const SIGNED = of('archive', [
  ['row deleted', 'refuses', 'not what was archived', ({ archive }) => flip(segmentsOf(archive)[3]!, 200)],
  ['row edited', 'refuses', 'not what was archived', ({ archive }) => flip(segmentsOf(archive)[3]!, -30)],
  [
    'page zeroed',
    'refuses',
    'not what was archived',
    ({ archive }) => {
      const path = segmentsOf(archive)[3]!
      writeFileSync(path, readFileSync(path).fill(0, 100, 200))
    },
  ],
  ['file cut', 'refuses', 'its size differs', ({ archive }) => cutBytes(segmentsOf(archive)[3]!, 100)],
  ['file missing', 'refuses', 'is missing in the archive', ({ archive }) => rmSync(segmentsOf(archive)[3]!)],
  [
    'older file in place',
    'refuses',
    'its size differs|not what was archived',
    ({ archive }) => cpSync(segmentsOf(archive)[2]!, segmentsOf(archive)[3]!),
  ],
  [
    'older archive in place',
    'asks for the head',
    'no answer with pages',
    ({ archive }, { before }) => put(before.archive, archive),
  ],
  [
    'entry removed at the end',
    'asks for the head',
    'no answer with pages',
    ({ archive }) => rmSync(entriesOf(archive).at(-1)!),
  ],
  [
    'entry removed in the middle',
    'asks',
    'the manifest of the archive is damaged',
    ({ archive }) => rmSync(entriesOf(archive).at(-3)!),
  ],
  [
    'entries reordered',
    'asks',
    'holds entry',
    ({ archive }) => swap(entriesOf(archive).at(-2)!, entriesOf(archive).at(-3)!),
  ],
  [
    'entry of another timeline',
    'asks',
    'does not carry the signature',
    ({ archive }, { other }) => cpSync(entriesOf(other.archive).at(-1)!, entriesOf(archive).at(-1)!),
  ],
  ['entry planted', 'asks', 'is cut off', ({ archive }) => writeFileSync(nextEntry(archive), '{}')],
  [
    'file planted',
    'tells',
    'without an entry',
    ({ archive }) => cpSync(segmentsOf(archive).at(-1)!, nextSegment(archive)),
  ],
  ['transaction planted, with a view that has no end', 'tells', 'view or trigger', plantView],
])

const UNSIGNED = of('unsigned archive', [
  ['file cut', 'refuses', 'ltx', ({ archive }) => cutBytes(segmentsOf(archive)[3]!, 100)],
  ['page zeroed', 'refuses', 'ltx', ({ archive }) => flip(segmentsOf(archive)[3]!, 200)],
  ['older archive in place', 'tells', 'on your word alone', ({ archive }, { before }) => put(before.archive, archive)],
  ['entry removed at the end', 'tells', 'on your word alone', ({ archive }) => rmSync(entriesOf(archive).at(-1)!)],
  ['file removed at the end', 'tells', 'on your word alone', ({ archive }) => rmSync(segmentsOf(archive).at(-1)!)],
])

export const CASES: readonly Case[] = [...SIGNED, ...UNSIGNED, ...REPLICA, ...FORGED, ...RUNNING, ...DISK, ...REPAIRED]

const SAYS: Readonly<Record<Said, string>> = {
  refuses: 'refused',
  asks: 'asks for `--yes`',
  'asks for the head': 'asks for `--accept-head`',
  tells: 'goes on, with a note',
  nothing: 'goes on',
}

/** The same as a table, for the runbook. */
export function damageTable(): string {
  const rows = CASES.map(({ source, damage, said, words }) => [source, damage, SAYS[said], words.split('|')[0] ?? ''])
  const all = [['source', 'damage', 'a restore', 'in words'], ...rows]
  const widths = [0, 1, 2, 3].map((at) => Math.max(...all.map((row) => row[at]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`
  const [head = [], ...body] = all
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...body.map(line)].join('\n')
}

function nextEntry(archive: string): string {
  const last = entriesOf(archive).at(-1)!
  const number = Number.parseInt(/([0-9a-f]{16})\.json$/.exec(last)?.[1] ?? '', 16)
  return join(archive, 'macaroond/manifest', `${(number + 1).toString(16).padStart(16, '0')}.json`)
}

function nextSegment(archive: string): string {
  const number = Number.parseInt(/-([0-9a-f]{16})\.ltx$/.exec(segmentsOf(archive).at(-1)!)?.[1] ?? '', 16) + 1
  const name = number.toString(16).padStart(16, '0')
  return join(archive, 'ltx/0', `${name}-${name}.ltx`)
}
