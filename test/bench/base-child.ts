/** A process that has loaded the libraries a node loads, and does nothing: what is above it is ours. */
import '@chainsafe/libp2p-noise'
import '@libp2p/crypto/keys'
import '@libp2p/peer-id'
import '@libp2p/utils'
import Sqlite from 'better-sqlite3'
import 'it-length-prefixed'
import 'it-pipe'
import 'lz4-napi'
import 'node-cron'
import 'pino'
import 'smol-toml'
import 'uint8arraylist'
import 'zod'
import { serve } from './process.ts'

// The driver loads its native part with the first database only.
new Sqlite(':memory:').close()

const calls = { loaded: () => true } as const

export type BaseCalls = typeof calls

serve(calls)
