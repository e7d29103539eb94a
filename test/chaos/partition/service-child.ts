/**
 * A service on its own host. It verifies the tokens of its orders again and again through the worker SDK, and reports each
 * answer. Orders are lines on standard input, events are lines on standard output.
 */
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { createVerifier, type Verifier } from '../../../replica/worker/sdk.ts'
import type { VerifyEvent } from '../../history/event.ts'
import type { ServiceOptions, Order, ShownToken } from './service-process.ts'
import { monotonicMs } from './clock.ts'

const options = JSON.parse(process.argv[2] ?? '{}') as ServiceOptions
const boot = `${process.pid}-${monotonicMs()}`
const tokens = new Map<string, ShownToken>()
let round = tokens.values()
let running = true

const { cluster, replicas, identity, timeoutMs, cache } = options
const verifier = await createVerifier({ cluster, replicas, identity, timeoutMs, cache })

createInterface({ input: process.stdin }).on('line', take).on('close', stop)
process.stdout.write(`${JSON.stringify({ ready: true })}\n`)
await Promise.all(Array.from({ length: options.concurrency }, () => ask(verifier)))
await verifier.close()
process.exit()

function take(line: string): void {
  const order = JSON.parse(line) as Order
  if (order.t === 'show') for (const token of order.tokens) tokens.set(token.text, token)
  if (order.t === 'drop') for (const text of order.texts) tokens.delete(text)
  if (order.t === 'stop') stop()
}

function stop(): void {
  running = false
}

async function ask(through: Verifier): Promise<void> {
  while (running) {
    const token = next()
    if (token !== undefined) process.stdout.write(`${JSON.stringify(await verified(through, token))}\n`)
    await setTimeout(options.pauseMs)
  }
}

/** All take turns at all tokens: a token without an answer holds up one call, and the others go on. */
function next(): ShownToken | undefined {
  const { value } = round.next()
  if (value !== undefined) return value
  round = tokens.values()
  return round.next().value
}

async function verified(through: Verifier, { id, text, org }: ShownToken): Promise<VerifyEvent> {
  const inv = monotonicMs()
  const verdict = await through.verify(text, { org, op: 'read' })
  const ret = monotonicMs()
  const { name: proc, region, host } = options
  const judged = verdict.ok ? 'allow' : verdict.reason === 'unavailable' ? 'unavailable' : 'deny'
  return {
    ...({ t: 'verify', inv, ret, proc, region, host, node: proc, boot, result: judged } as const),
    ...(id === undefined ? {} : { id }),
    ...(verdict.cached === undefined ? {} : ({ cached: true } as const)),
    ...(verdict.ok ? {} : { reason: verdict.reason }),
    ...(judged === 'unavailable' && !verdict.ok ? { why: verdict.message } : {}),
    ...(verdict.epoch === undefined ? {} : { epoch: verdict.epoch }),
    ...(verdict.revocationSeq === undefined ? {} : { seq: verdict.revocationSeq }),
    ...(verdict.txid === undefined ? {} : { txid: verdict.txid }),
  }
}
