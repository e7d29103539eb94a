/** A worker in a process of its own, so that it can be stopped: a token a line on stdin, a verdict a line on stdout. */
import { createInterface } from 'node:readline'
import { createVerifier } from '../../../replica/worker/sdk.ts'

const [text = ''] = process.argv.slice(2)
const { identity, ...options } = JSON.parse(text)
const verifier = await createVerifier({ ...options, identity: Buffer.from(identity, 'hex') })
while (verifier.statistics().leaseRemainingMs === 0) await new Promise((resolve) => setTimeout(resolve, 5))
process.stdout.write('ready\n')
for await (const line of createInterface({ input: process.stdin })) {
  const { token, stallMs = 0 } = JSON.parse(line)
  // A loop that is busy, as with a bad regular expression: nothing is read, no timer runs.
  for (const untilMs = performance.now() + stallMs; performance.now() < untilMs;);
  process.stdout.write(`${JSON.stringify(await verifier.verify(token, { org: 'acme' }))}\n`)
}
await verifier.close()
