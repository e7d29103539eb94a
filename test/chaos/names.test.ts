/** A replica whose primary is configured by host name: a name that does not resolve is reported by a code until it resolves. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { canMount, named } from '../integration/cluster/small-volume.ts'
import { Cluster, type NodeFiles } from './cluster.ts'

const READY_MS = 30_000
const NAME = 'primary.macaroond.test'
const POLL_MS = 50

/** Runs a command with a file of host names of its own (mount_namespaces(7)). */
function withHosts(file: string): readonly string[] {
  return ['unshare', '--mount', 'sh', '-c', `mount --bind ${file} /etc/hosts && exec "$@"`, 'sh']
}

function dialByName({ config }: NodeFiles, address: string): void {
  const [, port = ''] = address.split(':')
  writeFileSync(config, readFileSync(config, 'utf8').replace(`address = "${address}"`, `address = "${NAME}:${port}"`))
}

test.skipIf(!canMount)(
  `a replica whose primary’s name does not resolve says so, and follows once it does${named}`,
  { timeout: 60_000 },
  async () => {
    const cluster = await Cluster.create({ replicas: ['fra'] })
    onTestFinished(() => cluster.remove(false))
    const [replica] = cluster.replicas
    if (replica === undefined) throw new Error('there is a replica')
    dialByName(replica, cluster.primary.address)
    const hosts = join(cluster.root, 'hosts')
    writeFileSync(hosts, '127.0.0.1 localhost\n')
    const primary = cluster.start(cluster.primary)
    expect(await primary.ready(READY_MS), primary.log.join('\n')).toBe(true)
    const node = cluster.start(replica, { on: withHosts(hosts) })
    expect(await node.ready(READY_MS), node.log.join('\n')).toBe(true)
    await until(() => node.log.some((line) => line.includes(NAME)))
    expect(node.log.find((line) => line.includes(NAME))).toMatch(/connect_failed.*ENOTFOUND|ENOTFOUND.*connect_failed/)
    const verifier = await cluster.verifier(replica)
    const unknown = await verifier.verify('mrd1_x', { org: 'acme' })
    expect(unknown).toMatchObject({ ok: false, reason: 'unavailable' })

    writeFileSync(hosts, `127.0.0.1 localhost ${NAME}\n`)
    await until(async () => (await cluster.primaryStatus()).writes === 'open')
    const signer = await cluster.signer(20_000)
    await signer.createOrg('acme')
    const { token } = await signer.mint({ org: 'acme', subject: 'x' })
    await until(async () => (await verifier.verify(token, { org: 'acme' })).ok)
  },
)

async function until(met: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await met())) await setTimeout(POLL_MS)
}
