/** Files of configuration. */
import { stringify } from 'smol-toml'
import type { z } from 'zod'
import { primaryConfig } from '../../../primary/config.ts'
import { replicaConfig } from '../../../replica/config.ts'
import { profileSchema, readProfile } from '../../../shared/config/profile.ts'
import { checkConfig, readConfig } from '../../../shared/config/read-config.ts'
import { scratchFile } from '../scratch.ts'
import { requireSame, type Target } from '../target.ts'
export const PEER = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'
const COMMON = { cluster: 'fuzz', data: 'data', identity: 'node.key', listen: '[::1]:7000', kek: { file: 'kek' } }
const DIALLED = { address: '127.0.0.1:7000', peer_id: PEER }

const PRIMARY = {
  ...COMMON,
  kek: { env: 'KEK', previous: [{ command: ['cat', 'old.kek'] }] },
  log: { level: 'warn' },
  metrics: { listen: '127.0.0.1:9100' },
  freshness: { lease_ms: 5_000, ping_ms: 250, clock_rate_error: 0.005 },
  durability: { revocations: 'archive', degraded: true },
  archive: {
    to: 's3://bucket/folder?region=eu-1',
    copies: ['../copy'],
    window_days: 2,
    schedule: { drill: '45 4 * * *' },
  },
  peers: [
    { id: PEER, name: 'fra', role: 'replica', region: 'fra' },
    { id: `${PEER.slice(0, -1)}q`, name: 'login', role: 'signer', orgs: ['acme'] },
  ],
}
const REPLICA = { ...COMMON, region: 'fra', primary: DIALLED, verify_open: true, peers: [PRIMARY.peers[0]!] }
const PROFILE = {
  cluster: 'fuzz',
  identity: 'operator.key',
  primary: DIALLED,
  authority_key: 'ab'.repeat(32),
  replicas: [{ region: 'fra', ...DIALLED }],
}

function configTarget(
  name: string,
  schema: z.ZodType<object>,
  seed: object,
  read: (file: string) => object = (file) => readConfig(file, schema),
): Target {
  return {
    name,
    seeds: () => [Buffer.from(stringify(seed)), Buffer.from(stringify({ ...seed, peers: [], replicas: [] }))],
    run: (input) => {
      const found = read(scratchFile('config.toml', input))
      // Defaults stand in it now: it is still a configuration, and the same one.
      requireSame(checkConfig('again', JSON.parse(JSON.stringify(found)), schema), found, 'it reads differently again')
      return 'accepted'
    },
    codes: ['config_invalid'],
    every: 8,
    reach: ['accepted', 'config_invalid'],
  }
}

export const CONFIG_TARGETS: readonly Target[] = [
  configTarget('primary’s configuration', primaryConfig, PRIMARY),
  configTarget('replica’s configuration', replicaConfig, REPLICA),
  configTarget('profile', profileSchema, PROFILE, readProfile),
]
