/** `token verify` with a profile that names the wrong cluster, node or identity. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Cluster, CLUSTER, identityOf } from '../cluster/harness.ts'
import { commandLine } from './command.ts'

test('token verify names the key of the profile that is wrong, also if another replica is down', async () => {
  const cluster = await Cluster.start({ regions: ['fra', 'sin'] })
  const right = await cluster.profile('worker')
  const stranger = await cluster.profile('stranger')
  await cluster.stopReplica('sin')
  const variant = (change: (text: string) => string): string => {
    const file = join(cluster.folder, 'variant.toml')
    writeFileSync(file, change(readFileSync(right, 'utf8')))
    return file
  }
  const shown = async (profile: string): Promise<object> => {
    const ran = await commandLine(['token', 'verify', '--org', 'acme', '--json'], { profile, stdin: 'mcn1_x' })
    const { reason, message, cause } = ran.json<{ reason: string; message: string; cause: object }>()
    return { status: ran.status, reason, message, cause }
  }
  const wrong = (option: string, code: string): object => ({
    status: 4,
    reason: 'unavailable',
    message: expect.stringContaining(`, ${option} in the profile: `),
    cause: expect.objectContaining({ option, code, address: cluster.replica('fra').address }),
  })
  const [fra, sin] = [identityOf('fra').peerId, identityOf('sin').peerId]
  expect(await shown(variant((text) => text.replaceAll(CLUSTER, 'tset')))).toEqual(wrong('cluster', 'handshake_failed'))
  expect(await shown(variant((text) => text.replace(fra, sin)))).toEqual(wrong('peer_id', 'peer_mismatch'))
  expect(await shown(stranger)).toEqual(wrong('identity', 'peer_refused'))
  const text = await commandLine(['token', 'verify', '--org', 'acme'], { profile: stranger, stdin: 'mcn1_x' })
  expect(text.stdout).toMatch(
    /^cannot tell .*\n {2}this call needs the identity of a worker or an operator: use another profile, or have an operator/,
  )
})
