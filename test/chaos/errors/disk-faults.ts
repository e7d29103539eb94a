/** Derives from the trace of whole lives every call that can fail in a later life, and the ways in which it can fail. */
import type { Thread } from '../archive/thread-strace.ts'
import type { NodeFiles } from '../cluster.ts'
import type { Random } from '../random.ts'
import { type DiskCall, type Failure, SYNCS, WRITES } from './disk-strace.ts'
import { kindOf } from './files.ts'

/** `name`: what a folder says fails: a new name, a deletion, a size. */
export type ErrorClass = 'write' | 'full disk' | 'sync' | 'name' | 'no descriptor' | 'interrupted' | 'read'

export const CLASSES: readonly ErrorClass[] = [
  'sync',
  'write',
  'full disk',
  'name',
  'no descriptor',
  'interrupted',
  'read',
]

/** What comes after the error: another life on what is readable, a power cut that takes what was not on the disk, or both. */
export type Aftermath = 'restart' | 'power cut' | 'restart, then power cut'

/** A kind of call on a kind of file. */
interface Place {
  readonly thread: Thread
  readonly syscall: string
  readonly file: string
  /** It comes only in a life that begins with an empty folder. */
  readonly fresh: boolean
}

export interface Counted extends Place {
  readonly count: number
}

export interface DiskFault extends Place {
  readonly class: ErrorClass
  readonly failure: Failure
  readonly aftermath: Aftermath
}

export function faultName({ class: kind, file, failure, thread, fresh, aftermath }: DiskFault): string {
  const { syscall, nth, errno, onwards } = failure
  const when = `${nth}${onwards ? ' and all after it' : ''}`
  return `${kind}: ${errno} of ${syscall} ${when} on the ${file}${thread === 'pool' ? ', in the pool' : ''}${fresh ? ', of an empty folder' : ''}; ${aftermath}`
}

/** How often each kind of call comes on each kind of file. */
export function countPlaces(node: NodeFiles, calls: readonly DiskCall[], fresh: boolean): readonly Counted[] {
  const counts = new Map<string, Counted>()
  for (const { thread, syscall, path, phase } of calls) {
    const file = kindOf(node, path)
    if (file === undefined || phase === 'end') continue
    const key = `${thread} ${syscall} ${file}`
    counts.set(key, { thread, syscall, file, fresh, count: (counts.get(key)?.count ?? 0) + 1 })
  }
  return [...counts.values()]
}

type Way = readonly [kind: ErrorClass, errno: string, onwards: boolean]

/** A failed sync is reported once, and may also be one that found no room; no local file system interrupts one. */
function waysOf(syscall: string): readonly Way[] {
  if (SYNCS.some((name) => name === syscall))
    return [
      ['sync', 'EIO', false],
      ['sync', 'ENOSPC', false],
    ]
  if (WRITES.some((name) => name === syscall))
    return [
      ['write', 'EIO', false],
      ['full disk', 'ENOSPC', true],
      ['interrupted', 'EINTR', false],
    ]
  if (syscall === 'pread64') return [['read', 'EIO', false]]
  if (syscall === 'openat')
    return [
      ['no descriptor', 'EMFILE', true],
      ['no descriptor', 'ENFILE', false],
      ['interrupted', 'EINTR', false],
    ]
  return [['name', 'EIO', false]]
}

const AFTERMATHS: readonly Aftermath[] = ['restart', 'power cut', 'restart, then power cut']
/** All of the first ones, then ever fewer: one write of a hundred is much like the next. Calls that change nothing on the disk fail less often. */
const DENSE: Readonly<Partial<Record<ErrorClass, number>>> = { sync: 4, write: 4, 'full disk': 3 }
/** No two lives make as many calls. */
const COUNTED_ON = 0.7

function numbersUpTo(count: number, dense: number): readonly number[] {
  const numbers: number[] = []
  for (let nth = 1; nth <= count; nth += Math.max(1, Math.floor(nth / dense))) numbers.push(nth)
  return numbers
}

/** Every fault, shuffled, in turn by class and then by place, so that any prefix covers all classes. */
export function faultsOf(places: readonly Counted[], random: Random): readonly DiskFault[] {
  const all = places.flatMap((place) =>
    waysOf(place.syscall).flatMap((way) =>
      numbersUpTo(Math.ceil(place.count * COUNTED_ON), DENSE[way[0]] ?? 1).map((nth) =>
        faultAt(place, way, nth, random),
      ),
    ),
  )
  const byClass = Map.groupBy(random.shuffled(all), (one) => one.class)
  const decks = CLASSES.map((kind) => {
    const deck = inTurn(byClass.get(kind) ?? [], ({ file, syscall }) => `${syscall} ${file}`)
    return deck.toSorted((one, other) => Number(isHardest(other)) - Number(isHardest(one)))
  })
  return zipped(decks)
}

/** An acknowledgement depends on these calls, and the next life believes what it reads: so even a few faults include one of them. */
function isHardest({ file, aftermath }: DiskFault): boolean {
  return (file === 'wal' || file === 'journal') && aftermath === 'restart, then power cut'
}

function faultAt({ count: _, ...place }: Counted, [kind, errno, onwards]: Way, nth: number, random: Random): DiskFault {
  const failure = { syscall: place.syscall, nth, errno, onwards }
  const aftermath = kind === 'sync' ? (random.pick(AFTERMATHS) ?? 'restart') : 'restart'
  return { ...place, class: kind, failure, aftermath }
}

function inTurn(faults: readonly DiskFault[], keyOf: (one: DiskFault) => string): readonly DiskFault[] {
  return zipped([...Map.groupBy(faults, keyOf).values()])
}

function zipped(decks: readonly (readonly DiskFault[])[]): readonly DiskFault[] {
  const longest = Math.max(0, ...decks.map((deck) => deck.length))
  return Array.from({ length: longest }, (_, index) => decks.flatMap((deck) => deck[index] ?? [])).flat()
}
