/**
 * `org rotate-key`, `org retire-key` and `org disable`: the commands that change an org's root keys or all its tokens at once.
 * Retiring a key and disabling an org are revocations and cannot be undone.
 */
import type { Command } from 'commander'
import type { Signer } from '../../primary/signer/sdk.ts'
import { addDryRun, answerDryRun, countFirst, DRY_RUN_JSON } from '../arguments/counting.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { addHelp } from '../arguments/help.ts'
import {
  addRevokingOptions,
  answerRevoked,
  REVOKED_EXIT,
  REVOKED_JSON,
  revokingOptions,
  type RevokingOptions,
} from '../arguments/revoking.ts'
import { profileOf, withSigner } from '../clients.ts'
import type { Terminal } from '../terminal.ts'

/** Adds `org rotate-key`. It revokes nothing: the previous key verifies until `org retire-key`. */
export function addRotateKey(org: Command, terminal: Terminal): void {
  const command = org
    .command('rotate-key')
    .description('give an org a new root key for minting; tokens of the previous key stay valid')
    .argument('<name>', 'as `org list` shows it')
    .option('--request-id <id>', 'makes a retry safe: the same id gives the same answer and makes no second key')
    .action(async (name: string, { requestId }: { requestId?: string }, own: Command) => {
      const options = requestId === undefined ? {} : { requestId }
      const rotated = await withSigner(profileOf(own, terminal.env), (signer) => signer.rotateKey(name, options))
      const before = rotated.previous === null ? '' : `; tokens of ${rotated.previous} stay valid until it is retired`
      const text = `org ${rotated.org} now mints with key ${rotated.kid}${before}`
      terminal.answer(rotated, text, { what: text, next: '`macaroond org list` shows it' })
    })
  addHelp(command, {
    examples: ['macaroond org rotate-key acme'],
    json: ['{"org", "kid", "generation", "previous": "<16 hex digits>" | null, "position"}'],
  })
}

/** The options of `org disable`. */
interface DisableOptions extends RevokingOptions {
  readonly dryRun?: boolean
  readonly yes?: boolean
}

/** The options of `org retire-key`. */
interface RetireOptions extends Omit<DisableOptions, 'yes'> {
  readonly key?: string
}

/** Adds `org retire-key`. */
export function addRetireKey(org: Command, terminal: Terminal): void {
  const command = org
    .command('retire-key')
    .description('retire a root key and so revoke every token of it; this cannot be undone')
    .argument('<name>', 'the org')
    .option('--key <kid>', 'the key to retire (default: the key before the one that mints, if there is one)')
  addDryRun(addRevokingOptions(command)).action(async (name: string, options: RetireOptions, own: Command) => {
    const { key } = options
    const profile = profileOf(own, terminal.env)
    const request = { org: name, ...(key === undefined ? {} : { kid: key }), ...revokingOptions(options, terminal) }
    await withSigner(profile, async (signer) => {
      // The count and the revocation must name the same key. If there is no single older key, the primary explains the choice.
      const kid = key ?? (await olderKey(signer, name))
      const asked = { org: name, ...(kid === undefined ? {} : { kid }) }
      if (options.dryRun === true) return answerDryRun(signer, asked, terminal)
      if (kid !== undefined) await countFirst(signer, asked, terminal)
      const retired = await signer.retireKey(request)
      answerRevoked(retired, terminal)
      if (!terminal.json && retired.mints === null) {
        terminal.say(`${name} cannot mint until \`org rotate-key ${name}\``)
      }
    })
  })
  addHelp(command, {
    examples: ['macaroond org rotate-key acme && macaroond org retire-key acme --wait global'],
    json: [...REVOKED_JSON, ...DRY_RUN_JSON],
    exit: REVOKED_EXIT,
  })
}

/** Adds `org disable`. */
export function addDisable(org: Command, terminal: Terminal): void {
  const command = org
    .command('disable')
    .description('disable an org: revoke every token of it and mint no more; this cannot be undone')
    .argument('<name>', 'as `org list` shows it')
    .option('--yes', 'do not ask on a terminal')
  addDryRun(addRevokingOptions(command)).action(async (name: string, options: DisableOptions, own: Command) => {
    const request = { org: name, ...revokingOptions(options, terminal) }
    const profile = profileOf(own, terminal.env)
    if (options.dryRun === true) return withSigner(profile, (signer) => answerDryRun(signer, { org: name }, terminal))
    // A connection of its own: it would time out while a person thinks.
    await withSigner(profile, (signer) => countFirst(signer, { org: name }, terminal))
    if (options.yes !== true) await requireTyped(terminal, name)
    await withSigner(profile, async (signer) => answerRevoked(await signer.disableOrg(request), terminal))
  })
  addHelp(command, {
    examples: ["macaroond org disable acme --reason 'contract ended' --wait global"],
    json: [...REVOKED_JSON, ...DRY_RUN_JSON],
    exit: `2 when it is not confirmed. ${REVOKED_EXIT}`,
  })
}

/** Asks a person to type the name of the org. A program is not asked. Throws usage. */
async function requireTyped(terminal: Terminal, org: string): Promise<void> {
  const typed = await terminal.ask(`This cannot be undone. Type ${org} to disable it: `)
  if (typed === undefined || typed === org) return
  throw new MacaroondError('usage', `${org} is not disabled: its name was not typed`, {
    hint: 'type the name of the org, or give --yes',
  })
}

/** The key that `retire-key` retires without `--key`: the older one of two active ones. The primary chooses the same. */
async function olderKey(signer: Signer, name: string): Promise<string | undefined> {
  const { orgs } = await signer.listOrgs()
  const active = orgs.find((org) => org.name === name)?.keys.filter(({ state }) => state === 'active') ?? []
  return active.length === 2 ? active.toSorted((a, b) => a.generation - b.generation)[0]?.kid : undefined
}
