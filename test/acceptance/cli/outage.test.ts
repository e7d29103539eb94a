/** An outage of a cluster of real processes, as `macaroond status` names it from its first second on. */
import { expect, test } from 'vitest'
import type { Ran } from '../../integration/cli/command.ts'
import { DevFolder } from '../../integration/cli/dev-folder.ts'

const here = DevFolder.forThisFile()

test('a primary that dies is named, with the time; the regions are degraded, then down', async () => {
  await expect.poll(async () => (await here.operator(['status'])).status, { timeout: 20_000 }).toBe(0)
  await here.operator(['org', 'create', 'acme'])
  const token = (await here.operator(['token', 'mint', '--org', 'acme', '--subject', 'alice'])).stdout
  process.kill(here.dev.cluster.primary.pid, 'SIGKILL')
  const first = await here.operator(['status'])
  expect(first.status).toBe(6)
  let last: Ran = first
  const until = async (pattern: RegExp): Promise<string> => {
    const firstLine = async (): Promise<string> => {
      last = await here.operator(['status'])
      return last.stdout.split('\n')[0] ?? ''
    }
    await expect.poll(firstLine, { timeout: 40_000, interval: 500 }).toMatch(pattern)
    return last.stdout
  }
  const time = String.raw`\d\d:\d\d:\d\d UTC`
  const down = await until(
    new RegExp(`^DOWN: the primary has not been reached since ${time}; fra and sin answer unavailable since ${time}$`),
  )
  expect(last.status).toBe(4)
  expect(down).toMatch(/\n {2}next: start the primary at 127\.0\.0\.1:\d+, .*"The primary is down"/)
  expect(down).toContain('NO LEASE')
  const verified = await here.operator(['token', 'verify', '--org', 'acme'], token)
  expect([verified.status, verified.stdout]).toEqual([4, expect.stringMatching(/^cannot tell \(unavailable\): /)])
  const explained = await here.operator(['token', 'verify', '--org', 'acme', '--explain'], token)
  expect([explained.status, explained.stdout]).toEqual([4, expect.stringContaining('\ncannot tell (unavailable): ')])
  for (const { stdout } of [verified, explained]) expect(stdout).not.toMatch(/refused|accepted/)
}, 70_000)
