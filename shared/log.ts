/** One logger a process, JSON lines on stderr: stdout belongs to data. Secrets are kept out by never being passed in. */
import { pino, type DestinationStream, type Logger } from 'pino'

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

/** Pino's own destinations wait for whoever reads, or throw: the outlet does neither. */
export function createLog(name: string, level: string, outlet: DestinationStream): Log {
  const redact = { paths: REDACTED, censor: '[redacted]' }
  return pino({ name, level, redact, base: { name, pid: process.pid } }, outlet)
}

export const silentLog: Log = pino({ level: 'silent' })
