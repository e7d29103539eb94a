/** S10: a refused replica is recorded in the audit, and cannot fill it. */
import { expect, test } from 'vitest'
import type { Command } from '../../primary/authority/commands.ts'
import { WritesGate } from '../../primary/writes-gate.ts'
import { silentLog } from '../../shared/log.ts'

const HOUR_MS = 3_600_000

function gate(): { readonly gate: WritesGate; readonly recorded: string[]; readonly pass: (ms: number) => void } {
  const recorded: string[] = []
  let nowMs = 0
  const submit = async (command: Command): Promise<never> => {
    if (command.kind === 'replica.refused') recorded.push(`${command.actor.text}: ${command.message}`)
    return undefined as never
  }
  const own = new WritesGate({
    witnesses: () => ['A', 'B'],
    alone: true,
    log: silentLog,
    commitLog: { stalled: false, room: { full: false } } as never,
    stopping: () => false,
    time: () => ({ credible: true }) as never,
    clock: { monotonicMs: () => nowMs },
    writer: { migrate: () => undefined, submit },
    onReplicaRefused: () => undefined,
    onFatal: (error) => {
      throw error
    },
  })
  return { gate: own, recorded, pass: (ms) => void (nowMs += ms) }
}

test('a replica that is accepted and refused in turn is recorded once an hour, with a count', () => {
  const { gate: own, recorded, pass } = gate()
  for (let cycle = 0; cycle < 1_000; cycle += 1) {
    own.recordRefusedReplica('A', 'it is ahead')
    own.joined({ witness: 'A', atHead: false })
    pass(HOUR_MS / 500)
  }
  expect(recorded).toEqual(['replica A: it is ahead', 'replica A: it is ahead (499 more since the last record)'])
  own.recordRefusedReplica('B', 'it is forked')
  expect(recorded.at(-1)).toBe('replica B: it is forked')
  // The alarm shows each refusal at once.
  own.joined({ witness: 'A', atHead: false })
  own.recordRefusedReplica('A', 'it is ahead again')
  expect(own.refusedReplicas).toEqual([
    ['B', 'it is forked'],
    ['A', 'it is ahead again'],
  ])
})
