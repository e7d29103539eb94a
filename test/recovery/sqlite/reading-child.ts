/** Reads a replica as fast as it can until its input ends, then says what it saw. */
import { openReader } from '../../../shared/sqlite/open-database.ts'
import { roundsSeen } from '../../shared/sqlite/scratch.ts'

const [path = ''] = process.argv.slice(2)
const reader = openReader(path)
const result = { reads: 0, torn: 0, backwards: 0, last: 0 }
let ended = false
process.stdin.on('end', () => {
  ended = true
})
process.stdin.resume()
process.stdout.write('{"ready":true}\n')

while (!ended) {
  // Half of the reads see a state twice inside one transaction: the second must be the first.
  const held = result.reads % 2 === 0
  if (held) reader.exec('BEGIN')
  const [first = -1, ...others] = roundsSeen(reader)
  const again = held ? roundsSeen(reader) : [first]
  if (held) reader.exec('COMMIT')
  if (others.length > 0 || again.length !== 1 || again[0] !== first) result.torn += 1
  if (first < result.last) result.backwards += 1
  result.last = first
  result.reads += 1
  if (result.reads % 16 === 0) await new Promise((resolve) => setImmediate(resolve))
}
process.stdout.write(`${JSON.stringify(result)}\n`)
reader.close()
