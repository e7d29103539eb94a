/**
 * The logger of a process: JSON lines on stderr, because stdout belongs to data. Callers never pass secrets to it; the
 * redaction below is a second line of defence.
 */
import { pino, type DestinationStream, type Logger } from 'pino'

export type Log = Logger

/** Fields that are redacted if a caller logs a whole object by mistake. */
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

/** Writes to `outlet`, because pino's own destinations block or throw when the reader is slow; the outlet does neither. */
export function createLog(name: string, level: string, outlet: DestinationStream): Log {
  const redact = { paths: REDACTED, censor: '[redacted]' }
  return pino({ name, level, redact, base: { name, pid: process.pid } }, outlet)
}

export const silentLog: Log = pino({ level: 'silent' })
