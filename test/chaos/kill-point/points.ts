/**
 * The points at which a process is killed. A point is one kind of call that changes what is on disk, or the first send after it.
 * Its stage is the part of the work that it belongs to. The product knows nothing of this: the preload wraps the calls.
 */

export type Role = 'primary' | 'replica'

export type Stage = 'commit' | 'ship' | 'receive' | 'apply' | 'journal' | 'snapshot' | 'checkpoint'

/**
 * `before` and `after` the call; `partial`: a write that got only a part of its bytes out; `inside`: at a random moment
 * while the call runs, by another thread; `syscall`: at SQLite's n-th system call of one kind, by strace; `async`: at a
 * random moment, by the test, without asking what the process was doing.
 */
export type Moment = 'before' | 'partial' | 'after' | 'inside' | 'syscall' | 'async'

export interface Point {
  readonly stage: Stage
  readonly role: Role
  readonly moments: readonly Moment[]
  /** The call to die at is drawn from the first so many of one life. */
  readonly within: number
}

const WRITE: readonly Moment[] = ['before', 'partial', 'after']
const CALL: readonly Moment[] = ['before', 'after']
const SQLITE: readonly Moment[] = ['before', 'inside', 'after']

const point = (role: Role, stage: Stage, moments: readonly Moment[], within: number): Point => ({
  role,
  stage,
  moments,
  within,
})

export type PointName =
  | 'sqlite commit'
  | 'log write'
  | 'log rotate'
  | 'log send'
  | 'log sync'
  | 'log prune'
  | 'primary passive'
  | 'sqlite restart'
  | 'record write'
  | 'signed rename'
  | 'wal write'
  | 'index write'
  | 'apply commit'
  | 'wal sync'
  | 'journal write'
  | 'journal sync'
  | 'journal wipe'
  | 'snapshot write'
  | 'snapshot build'
  | 'snapshot rename'
  | 'snapshot append'
  | 'copy moved aside'
  | 'replica passive'
  | 'replica truncate'

/** Every point, by name. The preload recognises them, the test draws from them. */
export const POINTS: Readonly<Record<PointName, Point>> = {
  'sqlite commit': point('primary', 'commit', SQLITE, 30),
  // The first commit after a checkpoint, which starts the WAL over in its place.
  'sqlite restart': point('primary', 'commit', SQLITE, 2),
  'log write': point('primary', 'ship', WRITE, 30),
  'log rotate': point('primary', 'ship', CALL, 1),
  'log send': point('primary', 'ship', CALL, 30),
  'log sync': point('primary', 'checkpoint', CALL, 3),
  'log prune': point('primary', 'checkpoint', CALL, 1),
  'primary passive': point('primary', 'checkpoint', SQLITE, 2),
  'record write': point('replica', 'receive', WRITE, 30),
  'signed rename': point('replica', 'receive', CALL, 1),
  'wal write': point('replica', 'apply', WRITE, 30),
  'index write': point('replica', 'apply', WRITE, 90),
  'apply commit': point('replica', 'apply', SQLITE, 30),
  'wal sync': point('replica', 'apply', CALL, 20),
  'journal write': point('replica', 'journal', WRITE, 15),
  'journal sync': point('replica', 'journal', CALL, 15),
  'journal wipe': point('replica', 'journal', WRITE, 6),
  'snapshot write': point('replica', 'snapshot', WRITE, 3),
  'snapshot build': point('replica', 'snapshot', WRITE, 2),
  'snapshot rename': point('replica', 'snapshot', CALL, 1),
  'snapshot append': point('replica', 'snapshot', WRITE, 2),
  'copy moved aside': point('replica', 'snapshot', CALL, 2),
  'replica passive': point('replica', 'checkpoint', SQLITE, 2),
  'replica truncate': point('replica', 'checkpoint', SQLITE, 2),
}

/** Index 0 of the tracked word means that the process is at none of them. */
export const POINT_NAMES = Object.keys(POINTS) as readonly PointName[]

/** The preload reads this from the environment variable `CHAOS_KILL_AT`. */
export interface KillOrder {
  readonly folder: string
  /** The preload writes here, as its last act, where it died. */
  readonly record: string
  /** Die at this call. Without it the process only says where it is, in `word`. */
  readonly target?: {
    readonly point: PointName
    readonly moment: Moment
    readonly skip: number
    readonly share: number
  }
  /** A file whose first byte is the index of the point that the process is at, plus 1; 0 between them. */
  readonly word?: string
}

export interface DeathRecord {
  readonly point: PointName
  readonly moment: Moment
  /** How many such calls this life had made before. */
  readonly calls: number
}
