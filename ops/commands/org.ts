/** `macaroond org`: the commands for orgs, the tenants that tokens are minted for, and for their root keys. */
import type { Command } from 'commander'
import { addHelp } from '../arguments/help.ts'
import { profileOf, withSigner } from '../clients.ts'
import { table, type Terminal } from '../terminal.ts'
import { addDisable, addRetireKey, addRotateKey } from './org-keys.ts'

export function addOrg(parent: Command, terminal: Terminal): void {
  const org = parent.command('org').description('create, list and disable orgs, and rotate their root keys')
  addCreate(org, terminal)
  addList(org, terminal)
  addRotateKey(org, terminal)
  addRetireKey(org, terminal)
  addDisable(org, terminal)
}

function addCreate(org: Command, terminal: Terminal): void {
  const command = org
    .command('create')
    .description('create an org and its first root key')
    .argument('<name>', 'a-z, 0-9, . _ and -')
    .action(async (name: string, _: object, own: Command) => {
      const created = await withSigner(profileOf(own, terminal.env), (signer) => signer.createOrg(name))
      terminal.answer(created, `created org ${created.org} with key ${created.kid}`, {
        what: `created org ${created.org} with key ${created.kid}`,
        next: '`macaroond org list` shows it',
      })
    })
  addHelp(command, {
    examples: ['macaroond org create acme'],
    json: ['{"org": "acme", "kid": "<16 hex digits>", "position": "<epoch>.<txid>.<checksum>"}'],
  })
}

/** Adds `org list`. A retired key is listed too: its tokens are refused because of it. */
function addList(org: Command, terminal: Terminal): void {
  const command = org
    .command('list')
    .description('list the orgs that the caller may act for')
    .action(async (_: object, own: Command) => {
      const { orgs } = await withSigner(profileOf(own, terminal.env), (signer) => signer.listOrgs())
      const rows = orgs.map(({ name, state, createdMs, keys }) => [
        name,
        state,
        new Date(createdMs).toISOString(),
        keys.map(({ kid, state: of }) => (of === 'active' ? kid : `${kid} (${of})`)).join(' '),
      ])
      terminal.answer({ orgs }, rows.length === 0 ? [] : table([['ORG', 'STATE', 'CREATED', 'KEYS'], ...rows]))
    })
  addHelp(command, {
    examples: ['macaroond org list'],
    json: ['{"orgs": [{"name", "state", "createdMs": <unix milliseconds>, "keys": [{"kid", "generation", "state"}]}]}'],
  })
}
