/** One logger a process, JSON lines on stderr: stdout belongs to data. Secrets are kept out by never being passed in. */
import { pino, type Logger } from 'pino'

export type Log = Logger

/** Fields that must not reach a log even when a caller logs a whole object by mistake. */
const REDACTED = [
  'token',
  '*.token',
  'secret',
  '*.secret',
  'kek',
  '*.kek',
  'privateKey',
  '*.privateKey',
  'derivedKey',
  '*.derivedKey',
]

export function createLog(name: string, level: string): Log {
  // Synchronous: the last lines before a crash are the ones that matter, and logging is off every hot path.
  return pino(
    { name, level, redact: { paths: REDACTED, censor: '[redacted]' }, base: { name, pid: process.pid } },
    pino.destination({ fd: 2, sync: true }),
  )
}

export const silentLog: Log = pino({ level: 'silent' })
