/** `macaroond third-party`: registers the services whose third-party caveats this authority discharges. */
import type { Command } from 'commander'
import { addHelp } from '../arguments/help.ts'
import { profileOf, withSigner } from '../clients.ts'
import { table, type Terminal } from '../terminal.ts'

/** Adds `third-party`. `macaroon third-party` is another command: it adds a caveat to a macaroon. */
export function addThirdPartyCommand(parent: Command, terminal: Terminal): void {
  const group = parent
    .command('third-party')
    .description('add, list and remove services whose third-party caveats this authority discharges')
  addAdd(group, terminal)
  addList(group, terminal)
  addRemove(group, terminal)
}

const LIST = '`macaroond third-party list` shows them'

const DESCRIPTION = '{"name", "location", "publicKey": "<64 hex digits>", "unrevoked"'

function addAdd(group: Command, terminal: Terminal): void {
  const command = group
    .command('add')
    .description('give a service a public key to seal its tickets to; the primary keeps the private key, sealed')
    .argument('<name>', 'a-z, 0-9, . _ and -')
    .option(
      '--unrevoked',
      'the service knows this authority’s revocations, so discharges for it carry a caveat that checks them at every use',
    )
    .action(async (name: string, { unrevoked = false }: { unrevoked?: boolean }, own: Command) => {
      const added = await withSigner(profileOf(own, terminal.env), (signer) =>
        signer.addThirdParty({ name, unrevoked }),
      )
      const lines = [`public key ${added.publicKey}`, `location   ${added.location}`]
      terminal.answer(added, lines, { what: `added third party ${name}`, next: LIST })
    })
  addHelp(command, {
    examples: ['macaroond third-party add secret-store', 'macaroond third-party add gateway --unrevoked'],
    json: [
      `${DESCRIPTION}, "position"}`,
      'the service writes `location` into its caveats and seals tickets to `publicKey`',
    ],
  })
}

function addList(group: Command, terminal: Terminal): void {
  const command = group
    .command('list')
    .description('list the services with their public keys')
    .action(async (_: object, own: Command) => {
      const { thirdParties } = await withSigner(profileOf(own, terminal.env), (signer) => signer.listThirdParties())
      const rows = thirdParties.map(({ name, publicKey, unrevoked, createdMs }) => [
        name,
        publicKey,
        unrevoked ? 'checks revocations' : '',
        new Date(createdMs).toISOString(),
      ])
      terminal.answer({ thirdParties }, rows.length === 0 ? [] : table([['NAME', 'PUBLIC KEY', '', 'ADDED'], ...rows]))
    })
  addHelp(command, {
    examples: ['macaroond third-party list'],
    json: [`{"thirdParties": [${DESCRIPTION}, "createdMs": <unix milliseconds>}]}`],
  })
}

/** Adds `third-party remove`. The private key is deleted, so a service that is added again gets another one. */
function addRemove(group: Command, terminal: Terminal): void {
  const command = group
    .command('remove')
    .description('remove a service and its key: tickets sealed to it are never discharged again')
    .argument('<name>', 'as `third-party list` shows it')
    .action(async (name: string, _: object, own: Command) => {
      const removed = await withSigner(profileOf(own, terminal.env), (signer) => signer.removeThirdParty(name))
      terminal.answer(removed, `removed ${removed.name}`, {
        what: `removed third party ${name}`,
        next: LIST,
      })
    })
  addHelp(command, { examples: ['macaroond third-party remove secret-store'], json: ['{"name", "position"}'] })
}
