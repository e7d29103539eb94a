/** Pure: parses and checks all options of `macaroond init`, so that nothing is written if one of them is wrong. */
import { orgName } from '../../shared/id-schemas.ts'
import { nodeName, regionName, clusterName } from '../../shared/config/node-config.ts'
import { parseAddress } from '../../shared/channel/address.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { IN_SENTENCES } from '../../shared/schema-sentences.ts'

/** The options of `macaroond init`, as texts from the command line. */
export interface InitOptions {
  readonly cluster: string
  /** `host:port` that replicas, signers and operators dial. */
  readonly primary: string
  /** `name=host:port` each. */
  readonly region: readonly string[]
  readonly worker?: readonly string[]
  /** `name=org,org` each, or `name=*`. */
  readonly signer?: readonly string[]
  readonly archive?: string
}

/** The checked options of `macaroond init`. */
export interface ClusterPlan {
  readonly cluster: string
  readonly primary: string
  readonly regions: readonly { readonly region: string; readonly address: string }[]
  readonly workers: readonly string[]
  readonly signers: readonly { readonly name: string; readonly orgs: readonly string[] }[]
  /** A path or a bucket; undefined for the folder beside the primary's data. */
  readonly archive: string | undefined
}

/** Names of folders that `init` makes itself, which a region must not have. */
const RESERVED: ReadonlySet<string> = new Set(['primary', 'operator', 'workers', 'signers'])

/** Throws usage. */
export function planCluster({ cluster, primary, region, worker = [], signer = [], archive }: InitOptions): ClusterPlan {
  const regions = region.map(parseRegion)
  const signers = signer.map(parseSigner)
  check(clusterName, cluster, '--cluster', '--cluster prod')
  requireDialable(primary, '--primary')
  for (const name of worker) requireName(name, '--worker')
  requireDistinct(
    regions.map((one) => one.region),
    'region',
  )
  requireDistinct([primary, ...regions.map(({ address }) => address)], 'address')
  requireDistinct(worker, 'worker')
  requireDistinct(
    signers.map(({ name }) => name),
    'signer',
  )
  return { cluster, primary, regions, workers: worker, signers, archive }
}

/**
 * The address to listen on. The dialled name may belong to a load balancer or to another interface, so a node listens on all
 * interfaces. A loopback address stays as it is, because the operator wants a node that no other machine reaches.
 */
export function listenOf(address: string): string {
  const { host, port } = parseAddress(address)
  if (host === 'localhost' || host === '::1' || host.startsWith('127.')) return address
  return `${host.includes(':') ? '[::]' : '0.0.0.0'}:${port}`
}

/** Throws usage. */
export function parseRegion(text: string): ClusterPlan['regions'][number] {
  const [region, address] = split(text, '--region', '--region fra=fra.example.com:7100')
  check(regionName, region, '--region', '--region fra=fra.example.com:7100')
  if (RESERVED.has(region))
    throw usage(`no region may be called "${region}"`, 'init makes a folder of that name itself')
  requireDialable(address, `--region ${region}`)
  return { region, address }
}

/** Throws usage. */
export function parseSigner(text: string): ClusterPlan['signers'][number] {
  const [name, list] = split(text, '--signer', '--signer login=acme,globex')
  check(nodeName, name, '--signer', '--signer login=acme')
  const orgs = list.split(',')
  for (const org of orgs) if (org !== '*') check(orgName, org, `--signer ${name}`, '--signer login=acme,globex')
  requireDistinct(orgs, 'org')
  return { name, orgs }
}

/** Splits `NAME=VALUE` at the first equals sign. Throws usage. */
function split(text: string, option: string, example: string): readonly [string, string] {
  const at = text.indexOf('=')
  if (at > 0 && at < text.length - 1) return [text.slice(0, at), text.slice(at + 1)]
  throw usage(`${option} ${text} has no NAME=VALUE`, `for example ${example}`)
}

/** Checks a name of a worker, a signer or an operator. Throws usage. */
export function requireName(name: string, option: string): void {
  check(nodeName, name, option, `${option} api`)
}

function check(schema: typeof clusterName, text: string, option: string, example: string): void {
  const issue = schema.safeParse(text, IN_SENTENCES).error?.issues[0]
  if (issue !== undefined) throw usage(`${option} ${text}: ${issue.message}`, `for example ${example}`)
}

/** Checks an address that others dial: it needs a fixed port, and `0.0.0.0` names no machine. Throws usage. */
function requireDialable(address: string, option: string): void {
  const { host, port } = parsed(address, option)
  if (port === 0)
    throw usage(`${option} ${address} has port 0, which nobody can dial`, 'choose a port, for example 7100')
  if (host === '0.0.0.0' || host === '::')
    throw usage(`${option} ${address} names no machine`, 'give the address that the other machines dial')
}

/** Throws usage: the error of `parseAddress` does not name the option. */
function parsed(address: string, option: string): { readonly host: string; readonly port: number } {
  try {
    return parseAddress(address)
  } catch {
    throw usage(`${option} ${address} is not HOST:PORT`, `for example ${option} db1.example.com:7100`)
  }
}

function requireDistinct(names: readonly string[], what: string): void {
  const twice = names.find((name, index) => names.indexOf(name) < index)
  if (twice !== undefined) throw usage(`the ${what} ${twice} is named twice`, 'name each once')
}

function usage(message: string, hint: string): MacaroondError {
  return new MacaroondError('usage', message, { hint })
}
