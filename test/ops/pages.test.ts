import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { type Pages, printEntries, printPages } from '../../ops/pages.ts'
import { Terminal } from '../../ops/terminal.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { type Captured, capture } from './streams.ts'

const SHAPE = { name: 'rows', header: 'N' }

interface Source {
  readonly pages: Pages
  readonly made: () => number
  readonly ended: () => boolean
}

/** Ten pages of two rows each; after `failAfter` pages an error. */
function source(failAfter: number = Infinity): Source {
  let made = 0
  let ended = false
  async function* pages(): Pages {
    try {
      for (; made < 10; made += 1) {
        if (made === failAfter) throw new MacaroondError('connection_lost', 'the connection broke')
        yield [2 * made, 2 * made + 1].map((n) => ({ document: { n }, lines: [`row ${n}\u001b[2J`] }))
      }
      return { next: 20 }
    } finally {
      ended = true
    }
  }
  return { pages: pages(), made: () => made, ended: () => ended }
}

async function printed(json: boolean, from: Source): Promise<{ streams: Captured; terminal: Terminal }> {
  const streams = capture()
  const terminal = new Terminal(streams, json)
  await printPages(terminal, SHAPE, from.pages)
  return { streams, terminal }
}

test('all pages are one JSON document, or lines below one header', async () => {
  const { streams } = await printed(true, source())
  const rows = Array.from({ length: 20 }, (_, n) => ({ n }))
  expect(JSON.parse(streams.out())).toEqual({ rows, next: 20 })
  const text = await printed(false, source())
  expect(text.streams.out().split('\n')).toEqual(['N', ...rows.map(({ n }) => `row ${n}\\u{1b}[2J`), ''])
})

test('a list without entries is a whole document, and no text', async () => {
  const empty = (): Source => ({ ...source(), pages: source(Infinity).pages })
  async function* nothing(): Pages {
    yield []
    return {}
  }
  const { streams } = await printed(true, { ...empty(), pages: nothing() })
  expect(streams.out()).toBe('{"rows":[]}\n')
  expect((await printed(false, { ...empty(), pages: nothing() })).streams.out()).toBe('')
})

test('an error between two pages completes the document that has begun, and sets the status', async () => {
  const { streams, terminal } = await printed(true, source(3))
  const document = JSON.parse(streams.out()) as { readonly rows: readonly object[]; readonly error: object }
  expect(document.rows).toHaveLength(6)
  expect(document.error).toMatchObject({ code: 'connection_lost' })
  expect(terminal.status).toBe(4)
  await expect(printed(true, source(0))).rejects.toMatchObject({ code: 'connection_lost' })
  await expect(printed(false, source(3))).rejects.toMatchObject({ code: 'connection_lost' })
})

test('no further page is asked for once nobody reads, and the source is ended', async () => {
  const from = source()
  const closed = new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error(), { code: 'EPIPE' })),
  })
  const terminal = new Terminal({ ...capture(), stdout: closed }, false)
  await printPages(terminal, SHAPE, from.pages)
  expect([from.made(), from.ended()]).toEqual([0, true])
  expect(await printEntries(terminal, [{ document: {}, lines: ['x'] }])).toBe(false)
  expect(await terminal.finish()).toBe(0)
})

test('a slow reader holds up the pages, so that memory holds one', async () => {
  const from = source()
  const written: (() => void)[] = []
  const slow = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => void written.push(done) })
  const all = printPages(new Terminal({ ...capture(), stdout: slow }, true), SHAPE, from.pages)
  await new Promise((resolve) => setImmediate(resolve))
  expect(from.made()).toBe(0)
  const drain = setInterval(() => written.shift()?.(), 0)
  await all
  clearInterval(drain)
  expect(from.made()).toBe(10)
})

test('entries of a list without an end are one document a line', async () => {
  const streams = capture()
  const entries = [1, 2].map((n) => ({ document: { n }, lines: [`row ${n}`] }))
  expect(await printEntries(new Terminal(streams, true), entries)).toBe(true)
  expect(streams.out()).toBe('{"n":1}\n{"n":2}\n')
})
