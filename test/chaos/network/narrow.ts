/** A link of a few kilobits a second: the token bucket filter of the kernel (tc-tbf(8)), which lets packets wait and then drops them. */
import { execFileSync } from 'node:child_process'

const BURST = '4kb'
/** A packet that would wait longer is dropped. */
const LATENCY = '400ms'

/** What it returns widens the link again; the number of packets that had to wait, or were dropped. */
export function narrowed(device: string, kbit: number): () => number {
  tc('qdisc', 'add', 'dev', device, 'root', 'tbf', 'rate', `${kbit}kbit`, 'burst', BURST, 'latency', LATENCY)
  return () => {
    const shown = tc('-s', 'qdisc', 'show', 'dev', device)
    tc('qdisc', 'delete', 'dev', device, 'root')
    const [, waited] = /overlimits (\d+)/.exec(shown) ?? []
    return Number(waited ?? 0)
  }
}

function tc(...args: readonly string[]): string {
  return execFileSync('tc', args, { stdio: 'pipe' }).toString()
}
