/** S2, S4: a worker whose process was stopped would continue with old knowledge, unless it checks its lease first. */
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import type { Signer } from '../../../primary/signer/sdk.ts'
import type { WorkerVerdict } from '../../../replica/worker/sdk.ts'
import { type Cluster, CLUSTER, identityOf, seedOf } from '../cluster/harness.ts'
import { FRESHNESS, said, SHORT_LEASE, started } from './fixture.ts'

class WorkerProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: AsyncIterator<string>

  constructor(cluster: Cluster) {
    const replicas = [{ address: cluster.replica().address, peerId: identityOf('fra').peerId }]
    const options = { cluster: CLUSTER, identity: Buffer.from(seedOf('worker')).toString('hex'), replicas }
    const args = [join(import.meta.dirname, 'worker-child.ts'), JSON.stringify(options)]
    this.#child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
    onTestFinished(() => void this.#child.kill('SIGKILL'))
  }

  async line(): Promise<string> {
    const { value } = await this.#lines.next()
    return String(value)
  }

  /** It reads this when it runs. */
  tell(token: string, stallMs = 0): void {
    this.#child.stdin.write(`${JSON.stringify({ token, stallMs })}\n`)
  }

  async verdict(): Promise<string> {
    return said(JSON.parse(await this.line()) as WorkerVerdict)
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal)
  }
}

/** A worker that has a token in its cache. */
async function warm(): Promise<{ signer: Signer; worker: WorkerProcess; token: string; id: string }> {
  const { cluster, signer } = await started(SHORT_LEASE)
  const worker = new WorkerProcess(cluster)
  expect(await worker.line()).toBe('ready')
  const { token, id } = await signer.mint({ org: 'acme', subject: 'alice' })
  for (const expected of ['ok', 'ok, cached']) {
    worker.tell(token)
    expect(await worker.verdict()).toBe(expected)
  }
  return { signer, worker, token, id }
}

test('a stopped worker delays a global revocation until its lease ends, and accepts nothing then', async () => {
  const { signer, worker, token, id } = await warm()
  worker.signal('SIGSTOP')
  const startedMs = performance.now()
  const { replicas } = await signer.revoke({ id, wait: 'global' })
  // Its lease was renewed at most one ping, and the replica's age, before it was stopped.
  expect(performance.now() - startedMs).toBeGreaterThan(FRESHNESS.lease_ms / 2)
  expect(replicas).toMatchObject([{ name: 'fra', how: 'lease expired' }])
  worker.tell(token)
  worker.signal('SIGCONT')
  expect(await worker.verdict()).toMatch(/^(revoked|unavailable)$/)
})

test('a worker whose event loop is blocked beyond its lease accepts nothing revoked meanwhile', async () => {
  const { signer, worker, token, id } = await warm()
  worker.tell(token, 2 * FRESHNESS.lease_ms)
  await signer.revoke({ id, wait: 'global' })
  expect(await worker.verdict()).toMatch(/^(revoked|unavailable)$/)
})
