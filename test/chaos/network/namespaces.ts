/**
 * Hosts on this machine: network namespaces on one bridge, cut from one another by nftables, whose counters prove that a
 * cut took effect. Needs root, iproute2 and nftables; everything made here is removed again, and nothing else is touched.
 */
import { execFileSync } from 'node:child_process'
import { narrowed } from './narrow.ts'
import type { Cut, Network } from './network.ts'

const TABLE = 'inet macaroond'
/** Apart, so that a heal does not forget what was counted. */
const COUNTED = 'inet macaroond_counted'
const CHAINS = '{ chain in { type filter hook input priority 0; }; chain out { type filter hook output priority 0; }; }'

/** Names what is missing for it, for the person who runs the tests; undefined when nothing is. */
export function namespacesMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  for (const [command, ...args] of [
    ['ip', 'netns', 'list'],
    ['nft', '--version'],
  ] as const) {
    if (!runs(command, args)) return `\`${command}\` does not run: apt-get install -y iproute2 nftables`
  }
  return undefined
}

/** Every host has an address of its own, so all nodes listen on the same port. */
const PORT = 7400

export class Namespaces implements Network {
  readonly kind = 'namespaces'
  readonly #prefix: string
  readonly #subnet: string
  readonly #names: readonly string[]

  private constructor(prefix: string, subnet: string, names: readonly string[]) {
    this.#prefix = prefix
    this.#subnet = subnet
    this.#names = names
  }

  static #created = 0

  /** This process's id keeps names apart from those of another run, and from those of the last run, which go away slowly. */
  static create(names: readonly string[]): Namespaces {
    const turn = Namespaces.#created
    Namespaces.#created += 1
    const subnet = `10.${100 + (process.pid % 100)}.${(Math.floor(process.pid / 100) + turn) % 256}`
    const namespaces = new Namespaces(`m${process.pid.toString(36)}.${turn.toString(36)}`, subnet, names)
    try {
      namespaces.#setUp()
      return namespaces
    } catch (error) {
      namespaces.#tearDown()
      throw error
    }
  }

  listenAddress(name: string): string {
    return `${this.#address(name)}:${PORT}`
  }

  async dialAddress(_: string, to: string): Promise<string> {
    return this.listenAddress(to)
  }

  /** Words that run a command on that host. */
  on(name: string): readonly string[] {
    return ['ip', 'netns', 'exec', this.#host(name)]
  }

  cut({ at, other, direction }: Cut): void {
    const address = this.#address(other)
    if (direction !== 'out') this.#nft(at, `add rule ${TABLE} in ip saddr ${address} counter drop`)
    if (direction !== 'in') this.#nft(at, `add rule ${TABLE} out ip daddr ${address} counter drop`)
  }

  /** Of what goes between two hosts, both ways, so many in a hundred packets do not arrive. */
  lose(at: string, other: string, percent: number): void {
    const some = `numgen random mod 100 < ${percent} counter drop`
    this.#nft(at, `add rule ${TABLE} in ip saddr ${this.#address(other)} ${some}`)
    this.#nft(at, `add rule ${TABLE} out ip daddr ${this.#address(other)} ${some}`)
  }

  /** What comes to a host comes no faster, whoever sends it. What it returns ends that, and says how many packets had to wait. */
  narrow(name: string, kbit: number): () => number {
    return narrowed(this.#link(name), kbit)
  }

  /** Takes all cuts and losses of a host back. The number of packets they dropped. */
  heal(name: string): number {
    const dropped = this.#dropped(name)
    for (const chain of ['in', 'out']) this.#nft(name, `flush chain ${TABLE} ${chain}`)
    return dropped
  }

  #dropped(name: string): number {
    return this.#counted(name, TABLE, /counter packets (\d+)/g)
  }

  #counted(name: string, table: string, each: RegExp): number {
    const [command, ...words] = [...this.on(name), 'nft', 'list', 'table', ...table.split(' ')]
    const listed = execFileSync(command ?? '', words).toString()
    return [...listed.matchAll(each)].reduce((sum, [, count]) => sum + Number(count), 0)
  }

  /** Counts what goes between two hosts from now on, both ways; the result reads the bytes so far. */
  count(at: string, other: string): () => number {
    this.#nft(at, `add table ${COUNTED} ${CHAINS}`)
    this.#nft(at, `add rule ${COUNTED} in ip saddr ${this.#address(other)} counter`)
    this.#nft(at, `add rule ${COUNTED} out ip daddr ${this.#address(other)} counter`)
    return () => this.#counted(at, COUNTED, /counter packets \d+ bytes (\d+)/g)
  }

  async remove(): Promise<void> {
    this.#tearDown()
  }

  #tearDown(): void {
    for (const name of this.#names) {
      tryRun('ip', ['link', 'delete', this.#link(name)])
      tryRun('ip', ['netns', 'delete', this.#host(name)])
    }
    tryRun('ip', ['link', 'delete', `${this.#prefix}b`])
  }

  /** Its end on the bridge. */
  #link(name: string): string {
    return `${this.#prefix}v${this.#names.indexOf(name)}`
  }

  #address(name: string): string {
    return `${this.#subnet}.${this.#names.indexOf(name) + 1}`
  }

  #host(name: string): string {
    return `${this.#prefix}-${name}`
  }

  #setUp(): void {
    const bridge = `${this.#prefix}b`
    ip('link', 'add', bridge, 'type', 'bridge')
    ip('addr', 'add', `${this.#subnet}.254/24`, 'dev', bridge)
    ip('link', 'set', bridge, 'up')
    for (const name of this.#names) this.#addHost(name, this.#link(name), bridge)
  }

  #addHost(name: string, link: string, bridge: string): void {
    const host = this.#host(name)
    ip('netns', 'add', host)
    ip('link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host)
    ip('link', 'set', link, 'master', bridge, 'up')
    ip('-n', host, 'addr', 'add', `${this.#address(name)}/24`, 'dev', 'eth0')
    ip('-n', host, 'link', 'set', 'eth0', 'up')
    ip('-n', host, 'link', 'set', 'lo', 'up')
    this.#nft(name, `add table ${TABLE} ${CHAINS}`)
  }

  #nft(name: string, rule: string): void {
    execFileSync('ip', [...this.on(name).slice(1), 'nft', rule], { stdio: 'pipe' })
  }
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' })
}

function runs(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'pipe' })
    return true
  } catch {
    return false
  }
}

function tryRun(command: string, args: readonly string[]): void {
  try {
    execFileSync(command, args, { stdio: 'pipe' })
  } catch {
    // It was never made, or is gone already.
  }
}
