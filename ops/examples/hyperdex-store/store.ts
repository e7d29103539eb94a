/**
 * A store of objects, each with its own protection. The creator of an object may give it a secret; then only macaroons made
 * from that secret open it. The store understands caveats, and knows nothing about users and logins.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import Database from 'better-sqlite3'
import { judgeAccess, verifyWithKey } from '../../../shared/library.ts'
import { bearerOf, bodyOf, reply } from '../shared/http.ts'
import { macaroonsIn } from '../shared/macaroons.ts'
import { movableClock, serve } from '../shared/service.ts'

/** A row. The value is JSON. */
interface StoredObject {
  readonly value: string
  readonly secret: Buffer | null
}

const clock = movableClock()
const db = new Database(':memory:')
db.exec('CREATE TABLE objects (key TEXT PRIMARY KEY, value TEXT NOT NULL, secret BLOB) STRICT')
const insert = db.prepare<[string, string, Buffer | null]>('INSERT INTO objects VALUES (?, ?, ?)')
const select = db.prepare<[string], StoredObject>('SELECT value, secret FROM objects WHERE key = ?')
const add = db.prepare<[number, string]>(
  "UPDATE objects SET value = json_set(value, '$.balance', json_extract(value, '$.balance') + ?) WHERE key = ?",
)

serve(() => (request, response) => {
  handle(request, response).catch(() => reply(response, 400, { error: 'not understood' }))
})

/** PUT creates an object, GET reads it (`op = read`), POST adds to its balance (`op = write`). */
async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const key = decodeURIComponent((request.url ?? '/').slice(1))
  if (request.method === 'PUT') return create(key, await bodyOf(request), response)
  const object = select.get(key)
  if (object === undefined) return reply(response, 404, { error: 'no such object' })
  const op = request.method === 'GET' ? 'read' : 'write'
  if (!opens(object, op, bearerOf(request))) return reply(response, 401, { error: 'unauthorized' })
  if (op === 'write') add.run(Number((await bodyOf(request))['add']), key)
  reply(response, 200, JSON.parse(select.get(key)?.value ?? '{}') as object)
}

/** Creates an object. The creator chooses the secret, so the store never has to distribute keys. */
function create(key: string, { value, secret }: Record<string, unknown>, response: ServerResponse): void {
  insert.run(key, JSON.stringify(value), typeof secret === 'string' ? Buffer.from(secret, 'hex') : null)
  reply(response, 200)
}

/** An object without a secret is open to everybody. */
function opens({ secret }: StoredObject, op: string, token: string): boolean {
  if (secret === null) return true
  const nowMs = clock.wallMs()
  const judge = judgeAccess({ op }, { nowEarliestMs: nowMs, nowLatestMs: nowMs })
  if (!('judge' in judge)) return false
  return verifyWithKey({ bundle: macaroonsIn(token), rootKey: { secret }, judge }).ok
}
