/**
 * Builds the rules for writes and leases: the gate decides which commands are taken, the obstacles track what prevents writes,
 * and leases are granted only while revocations can be written. The writer takes commands once it has these rules.
 */
import { revocationBoundMs } from '../shared/freshness/bound.ts'
import type { PrimaryFoundation } from './foundation.ts'
import { configurationNote } from './freshness/configuration-note.ts'
import { Granting } from './freshness/granting.ts'
import { Obstacles } from './obstacles.ts'
import { WritesGate } from './writes-gate.ts'

export interface WriteRules {
  readonly gate: WritesGate
  readonly obstacles: Obstacles
  readonly granting: Granting
  /** The command that records the configuration; undefined if the database has it already. */
  readonly configurationNote: () => ReturnType<typeof configurationNote>
}

/** Opens the writer: from now on the gate decides what it takes. */
export function openWriteRules(base: PrimaryFoundation): WriteRules {
  const { options, members, writer, authorityClock } = base
  const gate = openGate(base)
  const obstacles = openObstacles(base, gate)
  const granting = openGranting(base, obstacles)
  const { durability } = options.config
  const due = (): ReturnType<typeof configurationNote> =>
    configurationNote(writer.state.configured, members.replicas, durability)
  writer.open({
    moment: () => authorityClock.moment,
    due,
    gate: (kind) => gate.require(kind),
    onAttempt: (attempt) => obstacles.attempted(attempt),
  })
  return { gate, obstacles, granting, configurationNote: due }
}

function openGate({
  options,
  members,
  commitLog,
  writer,
  authorityClock,
  alarms,
  shutdown,
  host,
}: PrimaryFoundation): WritesGate {
  return new WritesGate({
    witnesses: () => members.witnesses,
    alone: options.config.alone,
    log: options.log,
    commitLog,
    writer,
    stopping: () => shutdown.begun,
    time: () => authorityClock.time,
    clock: host.clock,
    onReplicaRefused: () => alarms.refresh(),
    onFatal: shutdown.crash,
  })
}

function openObstacles(base: PrimaryFoundation, gate: WritesGate): Obstacles {
  const { options, commitLog, writer, authorityClock, alarms, host } = base
  return new Obstacles({
    commitLog,
    authorityClock,
    boundMs: revocationBoundMs(options.config.freshness),
    writer,
    gate,
    onChange: () => alarms.refresh(),
    clock: host.clock,
    log: options.log,
  })
}

function openGranting({ options, host, writer, authorityClock }: PrimaryFoundation, obstacles: Obstacles): Granting {
  return new Granting({
    settings: options.config.freshness,
    clock: host.clock,
    authorityClock,
    entropy: host.entropy,
    leaseMsMax: () => writer.state.leaseMsMax,
    mayGrant: () => obstacles.grants,
  })
}
