/**
 * `archive key`: prints the authority's public key, as the primary reports it over its pinned connection. An operator stores it
 * before a disaster: afterwards no source is left that can be believed.
 */
import type { Command } from 'commander'
import { MacaroondError } from '../../shared/errors.ts'
import { addHelp } from '../arguments/help.ts'
import { askStatus, profileOf } from '../clients.ts'
import type { Terminal } from '../terminal.ts'

export function addArchiveKey(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('key')
    .description('ask the primary for the authority’s public key, with which restores check an archive')
    .action(async (_: object, own: Command) => {
      const profile = profileOf(own, terminal.env)
      const status = await askStatus(profile, profile.primary)
      if (status.role !== 'primary')
        throw new MacaroondError('peer_mismatch', 'the node at the profile’s primary address is not a primary')
      terminal.answer({ key: status.authorityKey }, status.authorityKey)
    })
  addHelp(command, {
    examples: ['macaroond archive key > authority.key', 'put it into the profile as: authority_key = "2c0f4d…"'],
    json: ['{"key": 64 hex digits}'],
  })
}
