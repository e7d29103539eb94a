/**
 * docs/reference/configuration.md: every key of every configuration, from the schemas that read them. A key without a
 * description fails, because the schema is the only place that describes it.
 */
import { z } from 'zod'
import { primaryConfig } from '../../../primary/config.ts'
import { replicaConfig } from '../../../replica/config.ts'
import { profileSchema } from '../../../shared/config/profile.ts'
import { assert } from '../../../shared/errors.ts'

/** The part of JSON Schema that the schemas use. */
interface Node {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly maxItems?: number
  readonly maxLength?: number
  readonly enum?: readonly string[]
  readonly properties?: Readonly<Record<string, Node>>
  readonly required?: readonly string[]
  readonly items?: Node
  readonly anyOf?: readonly Node[]
}

export function configurationPage(): string {
  return [
    '# Configuration',
    '',
    '<!-- made by `npm run evidence` from the schemas in primary/config.ts, replica/config.ts and shared/config/profile.ts -->',
    '',
    'Configurations are TOML in UTF-8. A relative path starts at the folder of its file. An unknown key is an error. Schedules are cron',
    'expressions with five or six fields, in UTC. `macaroond config check FILE` checks a file, and `macaroond config print FILE` prints',
    'it with every default. `macaroond init` writes all of them.',
    '',
    ...fileSection(
      '`primary.toml`',
      '`macaroond reload` and SIGHUP have the primary read `[[peers]]` again. Everything else needs a restart.',
      primaryConfig,
    ),
    ...fileSection(
      '`replica.toml`',
      '`macaroond reload --region NAME` and SIGHUP have a replica read `[[peers]]` and `verify_open` again. Everything else needs a restart.',
      replicaConfig,
    ),
    ...fileSection(
      'Profiles: `operator.toml`, `signer.toml`, `worker.toml`',
      'A profile names the caller’s identity and the nodes. Commands take it with `--profile` or `MACAROOND_PROFILE`, the SDKs with `readWorkerProfile` and `readSignerProfile`.',
      profileSchema,
    ),
  ].join('\n')
}

function fileSection(title: string, text: string, schema: z.ZodType): readonly string[] {
  const root = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Node
  return [`## ${title}`, '', text, '', ...tableLines('', root)]
}

/** The keys of a table, then the tables below it. */
function tableLines(name: string, node: Node): readonly string[] {
  const entries = Object.entries(propertiesOf(node))
  const keys = entries.filter(([, one]) => !isTable(one))
  const below = entries.filter(([, one]) => isTable(one)).flatMap(([key, one]) => sectionOf(name, key, one))
  const isChoice = node.anyOf !== undefined
  const lines = keys.map(([key, one]) => keyLine(`${name}.${key}`, key, one, isRequired(node, key)))
  return [
    ...(isChoice ? ['Exactly one of the sources:', ''] : []),
    ...lines,
    ...(lines.length > 0 ? [''] : []),
    ...below,
  ]
}

function sectionOf(parent: string, key: string, node: Node): readonly string[] {
  const name = parent === '' ? key : `${parent}.${key}`
  const list = node.type === 'array'
  return [`### \`${list ? `[[${name}]]` : `[${name}]`}\``, '', ...tableLines(name, list ? (node.items ?? {}) : node)]
}

/** A key whose value is a table, or a list of tables. The list of earlier keys is described as one key. */
function isTable(node: Node): boolean {
  if (node.description !== undefined) return false
  return (
    node.properties !== undefined || node.items?.properties !== undefined || node.anyOf?.[0]?.properties !== undefined
  )
}

/** The keys of all alternatives. */
function propertiesOf({ properties, anyOf = [] }: Node): Readonly<Record<string, Node>> {
  return properties ?? Object.assign({}, ...anyOf.map((one) => one.properties))
}

function isRequired({ required = [] }: Node, key: string): boolean {
  return required.includes(key)
}

function keyLine(path: string, key: string, node: Node, required: boolean): string {
  assert(node.description !== undefined, `the schema describes ${path}`)
  const fallback = node.default === undefined ? undefined : `default \`${JSON.stringify(node.default)}\``
  const facts = [typeOf(node), boundsOf(node), fallback, required ? 'required' : undefined]
  return `- \`${key}\` (${facts.filter((fact) => fact !== undefined).join(', ')}): ${node.description}`
}

function typeOf(node: Node): string {
  if (node.enum !== undefined) return node.enum.map((word) => `\`${word}\``).join(' or ')
  if (node.type === 'array')
    return node.items?.anyOf?.[0]?.properties === undefined ? 'list of strings' : 'list of tables'
  return node.type === 'boolean' ? '`true` or `false`' : (node.type ?? 'string')
}

/** A path may be longer than anybody needs, so its limit is left out. */
const LENGTH_SHOWN_MAX = 1_000

function boundsOf({ minimum, maximum, maxItems, maxLength = Infinity }: Node): string | undefined {
  const number = (value: number): string => value.toLocaleString('en-US')
  if (maxLength <= LENGTH_SHOWN_MAX) return `at most ${number(maxLength)} characters`
  if (maxItems !== undefined) return `at most ${number(maxItems)}`
  if (minimum !== undefined && maximum !== undefined) return `${number(minimum)} to ${number(maximum)}`
  if (minimum !== undefined) return `at least ${number(minimum)}`
  return maximum === undefined ? undefined : `at most ${number(maximum)}`
}
