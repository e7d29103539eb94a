/** The nodes' own logs: errors only, as lines without time and process. */
import { pino } from 'pino'
import type { Log } from '../../../shared/log.ts'

export function nodeLog(write: (line: string) => void): Log {
  const options = { level: 'error', base: null, timestamp: false } as const
  return pino(options, { write: (line: string) => write(line.trim()) })
}
