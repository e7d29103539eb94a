/**
 * Builds the group writer on the database. The writer looks up records of mints before a command runs, so that the core reads
 * no database.
 */
import { IssuedLog } from './issued-log.ts'
import type { Host } from '../../shared/service/host.ts'
import { type Kid, type Nonce, type TokenId, tokenId } from '../../shared/ids.ts'
import { type Denial, rowOfDenial } from '../../shared/protocol/denials.ts'
import type { Command } from '../authority/commands.ts'
import { GroupWriter, type GroupWriterOptions } from '../commit-log/group-writer.ts'
import type { RecentRevocations } from '../publisher/recent-revocations.ts'
import { type TransactionLog, transactionsOn } from './transactions.ts'

export interface OpenWriterOptions
  extends Omit<GroupWriterOptions, 'port' | 'prepare' | 'clock' | 'entropy'>, Pick<Host, 'clock' | 'entropy'> {
  readonly commitLog: TransactionLog
  readonly revocations: RecentRevocations
}

export function openGroupWriter({ commitLog, revocations, ...options }: OpenWriterOptions): GroupWriter {
  const port = revocations.recordingPort(transactionsOn(commitLog, options, options.onFatal))
  return new GroupWriter({ ...options, port, prepare: withRecordsFrom(new IssuedLog(commitLog.db)) })
}

/** Adds the records of the tokens that a command names. Reads about 20 rows for each token. */
function withRecordsFrom(issued: IssuedLog): (command: Command) => Command {
  return (command) => {
    if (command.kind === 'revocations.adopt') return { ...command, expiries: expiriesOf(command.denials, issued) }
    if (command.kind !== 'token.revoke') return command
    const record = issued.find(command.kid, command.nonce)
    if (record === undefined) return command
    return { ...command, recorded: true, expiresAt: command.proven === true ? command.expiresAt : record.expiresAt }
  }
}

/** The recorded expiries of the tokens that denials name; a token without a record is left out. */
function expiriesOf(denials: readonly Denial[], issued: IssuedLog): ReadonlyMap<TokenId, number> {
  const expiries = new Map<TokenId, number>()
  for (const row of denials.map(rowOfDenial)) {
    if (row.kind !== 'token') continue
    const [kid, nonce] = [row.kid as Kid, row.nonce as Nonce]
    const record = issued.find(kid, nonce)
    if (record !== undefined) expiries.set(tokenId(kid, nonce), record.expiresAt)
  }
  return expiries
}
