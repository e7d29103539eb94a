/**
 * What this machine can do to links, processes, clocks and disks. Tried, not believed: every machine lacks something else,
 * and a run that could do nothing must not look like one that nothing could harm.
 */
import { execFileSync, spawn } from 'node:child_process'
import { canMount } from '../../integration/cluster/small-volume.ts'
import { namespacesMissing } from '../network/namespaces.ts'
import { fakeTimeMissing } from '../partition/fake-time.ts'
import { straceFails, straceWorks } from '../strace.ts'
import { ControlGroup, type Controller } from './control-group.ts'

export interface Facility {
  readonly gives: string
  /** Names what is missing, for the person who runs the tests; undefined when nothing is. */
  readonly missing: () => string | undefined
}

export type FacilityName =
  | 'namespaces'
  | 'loss'
  | 'tbf'
  | 'freezer'
  | 'quota'
  | 'faketime'
  | 'strace kills'
  | 'strace errors'
  | 'small volumes'

/** What some kernels are built without, whatever is installed: a run elsewhere goes on without it, and says so. */
const OF_THE_KERNEL: ReadonlySet<FacilityName> = new Set(['loss', 'tbf', 'freezer', 'quota'])

export const FACILITIES: Readonly<Record<FacilityName, Facility>> = {
  namespaces: { gives: 'hosts of their own, cut from one another either way', missing: namespacesMissing },
  loss: { gives: 'packets lost at random', missing: lossMissing },
  tbf: { gives: 'links of a few kilobits a second', missing: tbfMissing },
  freezer: { gives: 'whole groups of processes that stand still', missing: () => groupMissing('freezer') },
  quota: { gives: 'processes with a small part of a processor', missing: () => groupMissing('cpu') },
  faketime: { gives: 'wall clocks that are moved while a process runs', missing: fakeTimeMissing },
  'strace kills': { gives: 'death at the n-th system call', missing: () => named(straceWorks(), STRACE) },
  'strace errors': { gives: 'errors of the n-th system call', missing: () => named(straceFails(), STRACE) },
  'small volumes': { gives: 'disks that fill up', missing: () => named(canMount, 'mounting needs root') },
}

/** Another way is taken for what these would give, wherever the tests run. */
export const DONE_OTHERWISE: Readonly<Record<string, string>> = {
  'tc netem':
    'delay, jitter and pieces of one byte come from proxies of our own (test/chaos/network, test/integration/cluster)',
  'device mapper': 'failing disks come from strace, full ones are small file systems, lost writes are the simulator’s',
}

const STRACE = 'strace does not work: apt-get install -y strace, and ptrace must be allowed'

export function missingFacilities(): ReadonlyMap<FacilityName, string> {
  const names = Object.keys(FACILITIES) as readonly FacilityName[]
  return new Map(
    names.flatMap((name) => {
      const missing = FACILITIES[name].missing()
      return missing === undefined ? [] : [[name, missing] as const]
    }),
  )
}

/** Those among the missing that packages bring. */
export function installable(missing: ReadonlyMap<FacilityName, string>): readonly string[] {
  return [...missing].flatMap(([name, why]) => (OF_THE_KERNEL.has(name) ? [] : [`${name}: ${why}`]))
}

function named(works: boolean, otherwise: string): string | undefined {
  return works ? undefined : otherwise
}

function groupMissing(controller: Controller): string | undefined {
  const sleeper = spawn('sleep', ['60'], { stdio: 'ignore' })
  try {
    ControlGroup.around(sleeper.pid ?? 0, controller).remove()
    return undefined
  } catch (error) {
    return `no control group for it: ${error instanceof Error ? error.message : String(error)}`
  } finally {
    sleeper.kill('SIGKILL')
  }
}

function tbfMissing(): string | undefined {
  return inOwnHost([
    'tc',
    'qdisc',
    'add',
    'dev',
    'lo',
    'root',
    'tbf',
    'rate',
    '64kbit',
    'burst',
    '4kb',
    'latency',
    '400ms',
  ])
}

function lossMissing(): string | undefined {
  const rule =
    'add table inet m { chain c { type filter hook input priority 0; numgen random mod 100 < 20 counter drop; }; }'
  return inOwnHost(['nft', rule])
}

/** Of a command in a network of its own, what it complained of. */
function inOwnHost(command: readonly string[]): string | undefined {
  try {
    execFileSync('unshare', ['--net', ...command], { stdio: ['ignore', 'ignore', 'pipe'] })
    return undefined
  } catch (error) {
    const { stderr, message } = error as Error & { readonly stderr?: Buffer }
    return `\`${command[0]}\` cannot: ${stderr?.toString().trim() || message}`
  }
}
