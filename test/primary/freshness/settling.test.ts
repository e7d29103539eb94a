import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { Command } from '../../../primary/authority/commands.ts'
import type { AuthorityState } from '../../../primary/authority/state.ts'
import { Settling, type SettlingOptions } from '../../../primary/freshness/settling.ts'
import { systemClock } from '../../../shared/clock.ts'
import { epoch } from '../../../shared/ids.ts'
import { silentLog } from '../../../shared/log.ts'

type Settled = Pick<AuthorityState, 'leaseMsMax' | 'settledEpoch' | 'epoch'>

/** An authority that does what it is told, and a word on what it was told. */
function authority(changes: Partial<Settled> = {}, options: Partial<SettlingOptions> = {}) {
  const state = { leaseMsMax: 5_000, settledEpoch: 1, epoch: 1, ...changes } as AuthorityState
  const told: Command[] = []
  const submit = async (command: Command): Promise<void> => {
    told.push(command)
    if (command.kind === 'lease.raise') state.leaseMsMax = command.leaseMs
    if (command.kind === 'epoch.settle') state.settledEpoch = state.epoch
  }
  const settling = new Settling({
    state: () => state,
    submit,
    writesOpen: () => true,
    configurationDue: () => false,
    nudge: () => undefined,
    leaseMs: 5_000,
    everyReplicaJoined: () => false,
    oldPrimaryStopped: false,
    clock: systemClock,
    log: silentLog,
    ...options,
  })
  onTestFinished(() => settling.close())
  return { settling, state, told }
}

test('a longer lease is written down once, and a shorter one never', async () => {
  const { settling, told } = authority({ leaseMsMax: 1_000 })
  settling.check()
  settling.check()
  await delay(0)
  settling.check()
  expect(told).toMatchObject([{ kind: 'lease.raise', leaseMs: 5_000 }])
  const shorter = authority({ leaseMsMax: 60_000 })
  shorter.settling.check()
  expect(shorter.told).toEqual([])
})

test('an epoch is settled once every replica has joined or the operator excludes older primaries', () => {
  const waiting = authority({ epoch: epoch(2) })
  waiting.settling.check()
  expect(waiting.told).toEqual([])
  const joined = authority({ epoch: epoch(2) }, { everyReplicaJoined: () => true })
  joined.settling.check()
  expect(joined.told).toMatchObject([{ kind: 'epoch.settle' }])
  const said = authority({ epoch: epoch(2) }, { oldPrimaryStopped: true })
  said.settling.check()
  expect(said.told).toMatchObject([{ kind: 'epoch.settle', because: '--old-primary-stopped' }])
})

test('a command is tried again while writes are not open', async () => {
  let open = false
  const { settling, told } = authority({ leaseMsMax: 0 }, { writesOpen: () => open })
  settling.check()
  expect(told).toEqual([])
  open = true
  await delay(600)
  expect(told).toMatchObject([{ kind: 'lease.raise' }])
})

test('a configuration that the database does not remember is written down, once writes are open', () => {
  let nudges = 0
  let [due, isOpen] = [true, false]
  const options = { configurationDue: () => due, nudge: () => (nudges += 1), writesOpen: () => isOpen }
  const { settling, told } = authority({}, options)
  settling.check()
  expect(nudges).toBe(0)
  isOpen = true
  settling.check()
  expect(nudges).toBe(1)
  due = false
  settling.check()
  expect(nudges).toBe(1)
  expect(told).toEqual([])
})
