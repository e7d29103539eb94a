/** The other end of a signer that means harm: one process, in bursts. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createIdentityFile } from '../../../shared/channel/identity.ts'
import type { HostileOptions } from './hostile-child.ts'

const CHILD = join(import.meta.dirname, 'hostile-child.ts')
export const HOSTILE_ORG = 'hostile'

export class HostileSigner {
  readonly #identity: string
  readonly #peerId: string
  #child: ChildProcess | undefined
  #replies: AsyncIterator<string> | undefined

  private constructor(identity: string, peerId: string) {
    this.#identity = identity
    this.#peerId = peerId
  }

  static async create(folder: string): Promise<HostileSigner> {
    const identity = join(folder, 'hostile.identity')
    const { peerId } = await createIdentityFile(identity)
    return new HostileSigner(identity, peerId)
  }

  /** For the configuration of the primary. */
  get settings(): string {
    return `[[peers]]\nid = "${this.#peerId}"\nname = "hostile"\nrole = "signer"\norgs = ["${HOSTILE_ORG}"]\n`
  }

  /** Its org exists. Resolves when it has connected. It has no more of this machine than others leave it. */
  async start(at: Pick<HostileOptions, 'address' | 'peerId' | 'cluster'>): Promise<void> {
    const options: HostileOptions = {
      ...at,
      identity: this.#identity,
      org: HOSTILE_ORG,
      connections: 40,
      inFlight: 256,
    }
    const words = ['-n', '10', process.execPath, CHILD, JSON.stringify(options)]
    const child = spawn('nice', words, { stdio: ['pipe', 'pipe', 'inherit'] })
    child.stdin.on('error', () => undefined)
    this.#child = child
    this.#replies = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    await this.#replies.next()
  }

  beginBurst(): void {
    this.#child?.stdin?.write('burst\n')
  }

  /** Resolves with how often it was answered what. */
  async endBurst(): Promise<Readonly<Record<string, number>>> {
    this.#child?.stdin?.write('rest\n')
    const line = await this.#replies?.next()
    return JSON.parse(line?.done === false ? line.value : '{}') as Record<string, number>
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'close')
  }
}
