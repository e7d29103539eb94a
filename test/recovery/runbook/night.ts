/** The 3 a.m. table of the runbook: its blocks, and the person who types them and compares what is printed. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { commandLine } from '../../integration/cli/command.ts'
import { type Block, blocksOf, typedCommands } from '../../acceptance/readme/blocks.ts'
import { masked } from '../../acceptance/readme/masked.ts'

const RUNBOOK = join(import.meta.dirname, '../../../ops/RUNBOOK.md')
/** An alarm begins some seconds after its cause, and a lease ends one lease after it. */
const SHOWN_WITHIN_MS = 30_000
const ASK_EVERY_MS = 500

/** The blocks of the 3 a.m. table, by their situation: `before`, while it lasts, and `after`, once its cause is gone. */
export const NIGHT: readonly Block[] = blocksOf(readFileSync(RUNBOOK, 'utf8')).filter(({ name }) =>
  ['before', 'after'].includes(name),
)

/** Differences between this machine and the one of the runbook: names, paths, addresses, and how far a reconnect is. */
const MASKS: readonly (readonly [RegExp, string])[] = [
  [/(127\.0\.0\.1|[\w.]+\.example\.com):\d+/g, '<address>'],
  [/ \(replica-(fra|sin)\)/g, ''],
  [/\breplica-(?=fra|sin)/g, ''],
  [/^( {2}(?:pages|revocations)) (waiting|connecting)\b.*$/gm, '$1 not connected'],
  [/(?<=nothing is archived: ).*(?= \(archive_missing)/g, '<why>'],
  [/(?<=the key-encryption key )\S+/g, '<path>'],
]

function atNight(text: string): string {
  return masked(MASKS.reduce((masking, [pattern, by]) => masking.replaceAll(pattern, by), text))
}

export function blockOf(name: 'before' | 'after', situation: string): string {
  const block = NIGHT.find((one) => one.name === name && one.file === situation)
  if (block === undefined) throw new Error(`the runbook has no block ${name} ${situation}`)
  return block.code
}

interface Typing {
  readonly profile: string
  /** Runs a command of the machine, such as `systemctl start macaroond-primary`. */
  readonly onMachine: (line: string) => Promise<void>
}

/** Types the commands of a block. `status` is repeated until it prints what the runbook shows, because alarms take time. */
export async function expectBlock(code: string, { profile, onMachine }: Typing): Promise<void> {
  for (const { line, status, output } of typedCommands(code)) {
    const command = line.replace(/ {2}#.*/, '')
    const [, words] = /^macaroond (.*)$/.exec(command) ?? []
    if (words === undefined) {
      await onMachine(command)
      continue
    }
    const wanted = atNight(output)
    const ask = async (): Promise<string> => {
      const ran = await commandLine(words.split(' '), { profile })
      return `${atNight(ran.stdout + ran.stderr)}\n[${ran.status}]`
    }
    let printed = await ask()
    const fits = (): boolean => matches(printed, wanted, status)
    const endMs = performance.now() + SHOWN_WITHIN_MS
    while (words.startsWith('status') && !fits() && performance.now() < endMs) {
      await delay(ASK_EVERY_MS)
      printed = await ask()
    }
    if (!fits()) expect(printed, command).toBe(`${wanted}\n[${status}]`)
  }
}

/** A last line `…` stands for the rest of the output. */
function matches(printed: string, wanted: string, status: number): boolean {
  if (!printed.endsWith(`[${status}]`)) return false
  return wanted.endsWith('\n…') ? printed.startsWith(wanted.slice(0, -1)) : printed === `${wanted}\n[${status}]`
}
