/** Recognises the points of `points.ts` by the file that is touched or the statement that is run. Exact paths: scratch files do not count. */
import { join } from 'node:path'
import type { PointName } from './points.ts'

/** `wipe` is a write of zeros. */
export type FileCall = 'write' | 'wipe' | 'sync' | 'truncate' | 'rename' | 'unlink' | 'create'

export interface Sites {
  readonly file: (call: FileCall, path: string) => PointName | undefined
  readonly statement: (database: string, sql: string) => PointName | undefined
}

const SEGMENTS = /^[0-9a-f]{16}\.segments$/

export function sitesOf(role: 'primary' | 'replica', folder: string): Sites {
  return role === 'primary' ? primarySites(folder) : replicaSites(folder)
}

function primarySites(folder: string): Sites {
  const database = join(folder, 'macaroond.db')
  const log = join(folder, 'log')
  const inLog = (path: string): boolean => path.startsWith(`${log}/`) && SEGMENTS.test(path.slice(log.length + 1))
  const logCalls: Partial<Record<FileCall, PointName>> = {
    write: 'log write',
    sync: 'log sync',
    create: 'log rotate',
    unlink: 'log prune',
  }
  return {
    file: (call, path) => (inLog(path) ? logCalls[call === 'wipe' ? 'write' : call] : undefined),
    statement: (name, sql) => {
      if (name !== database) return undefined
      if (sql === 'COMMIT') return 'sqlite commit'
      return sql === 'wal_checkpoint(PASSIVE)' ? 'primary passive' : undefined
    },
  }
}

function replicaSites(folder: string): Sites {
  const at = (name: string): string => join(folder, name)
  const calls: Record<string, Partial<Record<FileCall, PointName>>> = {
    [at('position')]: { write: 'record write' },
    [at('signed-position.json.tmp')]: { rename: 'signed rename' },
    [at('macaroond.db-wal')]: { write: 'wal write', sync: 'wal sync', rename: 'copy moved aside' },
    [at('macaroond.db-shm')]: { write: 'index write', rename: 'copy moved aside' },
    [at('macaroond.db')]: { rename: 'copy moved aside' },
    [at('revocations.journal')]: { write: 'journal write', sync: 'journal sync', wipe: 'journal wipe' },
    [at('snapshot.incoming')]: { write: 'snapshot write' },
    [at('macaroond.db.partial')]: { write: 'snapshot build', rename: 'snapshot rename' },
  }
  const statements: Record<string, PointName> = {
    COMMIT: 'apply commit',
    'wal_checkpoint(PASSIVE)': 'replica passive',
    'wal_checkpoint(TRUNCATE)': 'replica truncate',
  }
  return {
    file: (call, path) => calls[path]?.[call] ?? (call === 'wipe' ? calls[path]?.write : undefined),
    statement: (name, sql) => (name === at('macaroond.db') ? statements[sql] : undefined),
  }
}
