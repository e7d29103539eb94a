import { expect, test } from 'vitest'
import { refusalIn } from '../../../ops/status/ask.ts'
import { alarmsText, blocks, wideTable } from '../../../ops/status/layout.ts'
import { folded } from '../../../ops/status/text.ts'
import { alarm, cluster, NOW_MS, primary, replica, silent } from './cluster.ts'

const PEER_ID = `12D3Koo${'W'.repeat(45)}`

test('each node is a block of its name, its address and one fact a line', () => {
  expect(blocks(cluster({ replicas: [replica('fra'), silent(replica('sin'))] }), NOW_MS)).toEqual([
    '',
    'primary at 10.0.0.1:7400',
    '  writes open, revocations bind within 5101 ms',
    '  no archive',
    '  position 1.0000000000000012.8a1c0e5b7d2f9a34, revocation 3',
    '  version 0.1.0, pid 7, up 60 s',
    '',
    'replica fra at 10.0.1.1:7400',
    '  lease 4800 ms',
    '  pages connected',
    '  revocations connected',
    '  position 1.0000000000000012.8a1c0e5b7d2f9a34, revocation 3',
    '  version 0.1.0, pid 7, up 60 s',
    '',
    'replica sin at 10.0.1.1:7400',
    '  NOT REACHED: cannot reach 10.0.1.1:7400: ECONNREFUSED (connect_failed)',
  ])
})

test('nodes have the names of the configuration, in alarms too; a PeerId that nobody named stays', () => {
  const link = { name: 'fra-1', peerId: PEER_ID, wal: true, lag: 2, revocations: true }
  const message = `${PEER_ID} contradicts; so does 12D3Koo${'X'.repeat(45)}`
  const alarms = [{ ...alarm('replica_refused'), message }]
  const of = { replicas: [link], alarms } as unknown as Parameters<typeof primary>[0]
  const answers = cluster({ primary: primary(of), replicas: [{ ...replica('fra'), peerId: PEER_ID }] })
  expect(alarmsText(answers)[0]).toContain(`ALARM primary: fra-1 contradicts; so does 12D3KooXX`)
  expect(blocks(answers, NOW_MS)).toEqual(
    expect.arrayContaining(['  replicas: fra-1 2 behind', 'replica fra (fra-1) at 10.0.1.1:7400']),
  )
})

test('a replica that catches up says how far it is: transactions behind, or pages of a snapshot', () => {
  const answers = cluster({
    replicas: [
      replica('fra', { position: '1.000000000000000a.8a1c0e5b7d2f9a34' }),
      replica('sin', { position: null, snapshot: { pages: 5_000, received: 1_204 } }),
      replica('iad', { snapshot: null }),
    ],
  })
  const pages = blocks(answers, NOW_MS).filter((line) => line.startsWith('  pages'))
  expect(pages).toEqual([
    '  pages connected, 8 transactions behind',
    '  pages connected, receiving a snapshot: 1,204 of 5,000 pages',
    '  pages connected',
  ])
})

test('the wide table has one row a node, with everything in it', () => {
  const rows = wideTable(cluster({ replicas: [silent(replica('fra'))] }), NOW_MS)
  expect(rows.map((row) => row.split(/ {2,}/).length)).toEqual([1, 7, 7, 7])
  expect(rows[1]).toMatch(/^ROLE +REGION +ADDRESS/)
  expect(rows[2]).toContain('writes open, revocations bind within 5101 ms, no archive')
})

test('lines fold between words, and a word that is too long has a line of its own', () => {
  const long = 'x'.repeat(90)
  const lines = folded([`  ${'word '.repeat(30).trim()}`, `see ${long} there`], 80)
  expect(lines.filter((line) => line.length > 80)).toEqual([`  ${long}`])
  expect(
    lines
      .join(' ')
      .split(/ +/)
      .filter((word) => word !== ''),
  ).toEqual([...Array.from({ length: 30 }, () => 'word'), 'see', long, 'there'])
  expect(lines[1]).toMatch(/^ {4}word/)
  expect(folded(['a\u001b[2Jb'], 80)).toEqual(['a\\u{1b}[2Jb'])
})

test('a caller whom the nodes refuse is told that, unless one of them answers', () => {
  const refusing = { ...silent(replica('fra')), error: { code: 'peer_refused', message: 'not an operator' } } as const
  expect(refusalIn([silent(primary()), refusing])).toMatchObject({ code: 'peer_refused' })
  expect(refusalIn([primary(), refusing])).toBeUndefined()
  expect(refusalIn([silent(primary()), silent(replica('fra'))])).toBeUndefined()
})
