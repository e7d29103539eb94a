/**
 * `token discharge`: gets every discharge that a token needs, from third parties over HTTP and from the authority itself, and
 * prints the bound bundle. Credentials come from files and go only to the hosts that the operator names.
 */
import type { Command } from 'commander'
import type { Signer } from '../../primary/signer/sdk.ts'
import type { Profile } from '../../shared/config/profile.ts'
import {
  createDischargeClient,
  type DischargeClientOptions,
  type DischargeQuestion,
  type UserVisit,
} from '../../shared/discharge/client.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { decodeBundle } from '../../shared/macaroon/bundle.ts'
import { addHelp } from '../arguments/help.ts'
import { repeated } from '../arguments/options.ts'
import { readToken } from '../arguments/standard-input.ts'
import { profileOf, withSigner } from '../clients.ts'
import type { Terminal } from '../terminal.ts'
import { readKeyFile } from './macaroon-input.ts'

type Ask = NonNullable<DischargeClientOptions['ask']>

/** The options of `token discharge`. */
interface DischargeOptions {
  readonly presented?: string
  readonly credential?: readonly string[]
  readonly host?: readonly string[]
}

/** Adds `token discharge`. */
export function addDischarge(token: Command, terminal: Terminal): void {
  const command = token
    .command('discharge')
    .description('get the discharges that a token from stdin needs; the bundle, bound, goes to stdout')
    .option('--presented <file>', 'tokens to present to this authority if it is the third party, one a line')
    .option('--credential <host=file>', 'a third party, and the file with the `authorization` header for it', repeated)
    .option('--host <host>', 'a third party that needs no credential; may be given more than once', repeated)
    .action(async (options: DischargeOptions, own: Command) => {
      const text = await readToken(terminal)
      const bundle = await discharged(text, options, own, terminal)
      const discharges = decodeBundle(bundle).length - 1
      terminal.answer({ bundle, discharges }, bundle, {
        what: 'got the discharges that the token needs',
        next: 'repeat the command: the lost discharges expire by themselves',
      })
      if (!terminal.json) terminal.say(discharges === 1 ? 'with 1 discharge' : `with ${discharges} discharges`)
    })
  addHelp(command, {
    examples: [
      'macaroond token discharge --presented tenant.txt < orchestrator.txt | …',
      'macaroond token discharge --credential login.example=login.secret < token.txt > bundle.txt',
    ],
    json: ['{"bundle": "mcn1_…~mcn1_…", "discharges": <count>}'],
  })
}

/** The bundle. A profile is needed only for `--presented`: third parties over HTTP need no connection to the cluster. */
async function discharged(text: string, options: DischargeOptions, own: Command, terminal: Terminal): Promise<string> {
  const http = httpOptions(options, terminal)
  if (options.presented === undefined) return createDischargeClient({ ...http, ask: nothingToPresent }).discharge(text)
  const tokens = presentedTokens(options.presented)
  const profile = profileOf(own, terminal.env)
  return withSigner(profile, (signer) => {
    const client = createDischargeClient({ ...http, ask: authorityOf(profile, signer, tokens) })
    return client.discharge(text)
  })
}

/** Answers for third-party caveats whose location is this cluster. `undefined` leaves the caveat to HTTP. */
function authorityOf({ cluster }: Profile, signer: Signer, tokens: readonly string[]): Ask {
  return async ({ location, ticket }) => {
    if (!location.startsWith(`${AUTHORITY}${cluster}/`)) return undefined
    const { discharge } = await signer.discharge({ ticket, tokens })
    return discharge
  }
}

/** The scheme of locations that name an authority and not a service over HTTP. */
const AUTHORITY = 'macaroond://'

/** Fails early with the missing option: without it the error would say that the scheme is not HTTP. */
async function nothingToPresent({ location }: DischargeQuestion): Promise<undefined> {
  if (!location.startsWith(AUTHORITY)) return undefined
  throw new MacaroondError(
    'usage',
    'the token needs a discharge of the authority itself, and no token is presented to it',
    {
      hint: 'give --presented FILE with tokens that allow what the discharge asks for',
    },
  )
}

/** Only hosts that the operator lists are contacted: a location is not signed and could name a machine inside the network. */
function httpOptions({ credential = [], host = [] }: DischargeOptions, terminal: Terminal): DischargeClientOptions {
  return {
    credentials: Object.fromEntries(credential.map(readCredential)),
    hosts: host,
    onUserVisit: ({ url, host: who }: UserVisit) => terminal.say(`${who} wants you to visit ${url}`),
  }
}

/** Parses `host=file`. The secret itself is never an argument, because every user of the machine can see arguments. */
function readCredential(pair: string): readonly [string, string] {
  const at = pair.indexOf('=')
  if (at > 0) return [pair.slice(0, at), textOf(pair.slice(at + 1), 'credential file')]
  throw new MacaroondError('usage', 'a credential is given as host=file', {
    hint: 'for example --credential login.example=login.secret',
  })
}

function presentedTokens(file: string): readonly string[] {
  return textOf(file, 'file of tokens')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

function textOf(file: string, what: string): string {
  return Buffer.from(readKeyFile(file, what)).toString('utf8').trim()
}
