/**
 * `macaroond status`: a verdict on the cluster in one sentence, the next step, the alarms, and the state of the primary and of
 * every replica of the profile. The exit status is the verdict, so that a script needs no text.
 */
import { setTimeout } from 'node:timers/promises'
import type { Command } from 'commander'
import { systemClock } from '../../shared/clock.ts'
import type { Profile } from '../../shared/config/profile.ts'
import { addHelp } from '../arguments/help.ts'
import { profileOf } from '../clients.ts'
import { EXIT_DEGRADED, EXIT_UNAVAILABLE } from '../exit-status.ts'
import { askNodes, type ClusterAnswers } from '../status/ask.ts'
import { alarmsText, blocks, wideTable } from '../status/layout.ts'
import { folded, timeOfDay } from '../status/text.ts'
import { type Health, judgeCluster } from '../status/verdict.ts'
import type { Terminal } from '../terminal.ts'

/** The options as commander parses them. */
interface StatusOptions {
  readonly watch?: true
  readonly wide?: true
}

const WATCH_MS = 2_000

const EXIT: Readonly<Record<Health, number>> = { up: 0, degraded: EXIT_DEGRADED, down: EXIT_UNAVAILABLE }

export function addStatus(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('status')
    .description('say whether the cluster serves and what to do next, then show every node of the profile')
    .option('--watch', 'ask again every 2 seconds, until Ctrl-C')
    .option('--wide', 'one row a node in place of one block a node')
    .action(async (options: StatusOptions, own: Command) => {
      const profile = profileOf(own, terminal.env)
      if (options.watch === true) return watch(profile, options, terminal)
      const answers = await terminal.during('asking the nodes', () => askNodes(profile))
      show(profile, answers, options, terminal)
    })
  addHelp(command, {
    examples: ['macaroond status', 'macaroond status --watch', 'macaroond status --json'],
    json: [
      '{"cluster", "verdict": {"health": "up" | "degraded" | "down", "message", "next"}, "nodes": [{"role", "region", "address", "peerId", "reachable": true, "status": {…}}]}',
      'with --watch: one such document a line',
      'a node that did not answer has "reachable": false and "error": {"code", "message"} in place of "status"',
      'status of the primary: position, timeline, writes, revocationSeq, orgs, freshness (boundMs, leaseMs, settled, clockDoubt), durability (revocations, degraded, degradedSinceMs, degradedAnswers), log, walFrames, authorityKey, replicas (each with its lag)',
      '  and archive: {"location", "position", "lag", "lagMs", "files", "bytes", "jobs", "lastDrill", "alerts", "copies"} | null',
      'status of a replica: position, timeline, revocationSeq, revocations, keys, freshness (boundMs, leaseMs, ageMs, clockDoubt), wal, stream, alarm, walBytes',
      'both: wallMs, the clock of the node; alarms, each {"code", "severity": "critical" | "warning", "about", "message", "action", "sinceMs"}, the critical ones first; a node of 0.1.0 has no such list',
    ],
    exit: '0 if every region serves, writes are open and no alarm is critical; 6 degraded; 4 down: no region serves. 1 or 3 if this caller cannot ask: its identity cannot be read, or the nodes refuse it',
  })
}

/** Prints the verdict, the alarms and the nodes, and sets the exit status. Lines are folded for a terminal only. */
function show(
  { cluster }: Profile,
  answers: ClusterAnswers,
  { wide, watch: isWatched }: StatusOptions,
  terminal: Terminal,
): void {
  const nowMs = systemClock.wallMs()
  const verdict = judgeCluster(answers, nowMs)
  terminal.status = EXIT[verdict.health]
  const { columns } = terminal
  const fold = (lines: readonly string[]): readonly string[] => (columns === undefined ? lines : folded(lines, columns))
  const lines = [
    ...fold([verdict.message, `  next: ${verdict.next}`, ...alarmsText(answers)]),
    ...(wide === true ? wideTable(answers, nowMs) : fold(blocks(answers, nowMs))),
    ...(isWatched === true ? ['', `asked at ${timeOfDay(nowMs, nowMs)}`] : []),
  ]
  terminal.answer({ cluster, verdict, nodes: [answers.primary, ...answers.replicas] }, lines)
}

/** Shows the cluster until a signal, or until nobody reads. The exit status is that of the last answer. */
async function watch(profile: Profile, options: StatusOptions, terminal: Terminal): Promise<void> {
  const { onInterruption } = await import('../cluster/keep-running.ts')
  const { happened, release } = onInterruption()
  try {
    while (!terminal.isClosed) {
      const answers = await Promise.race([happened, askNodes(profile)])
      if (answers === 'interrupted') return
      terminal.turnPage()
      show(profile, answers, options, terminal)
      if ((await Promise.race([happened, setTimeout(WATCH_MS, 'again')])) === 'interrupted') return
    }
  } finally {
    release()
  }
}
