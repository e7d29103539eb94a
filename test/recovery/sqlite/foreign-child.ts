/** Another program with its own SQLite handle: opens, runs and closes as it is told, one JSON line for each. */
import { createInterface } from 'node:readline'
import Sqlite from 'better-sqlite3'

let connection: Sqlite.Database | undefined

function run(sql: string): unknown {
  if (connection === undefined) throw new Error('nothing is open')
  const statement = connection.prepare(sql)
  return statement.reader ? statement.all() : statement.run().changes
}

function obey(order: { open?: string; sql?: string; close?: boolean }): unknown {
  if (order.open !== undefined) connection = new Sqlite(order.open, { timeout: 0 })
  if (order.close === true) connection?.close()
  return order.sql === undefined ? true : run(order.sql)
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer: unknown
  try {
    answer = { value: obey(JSON.parse(line) as object) }
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) }
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
