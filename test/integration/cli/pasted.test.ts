/** Tokens as people paste them, through the command line, the SDKs and a replica. */
import { expect, test } from 'vitest'
import { Cluster, codeOf } from '../cluster/harness.ts'
import { commandLine } from './command.ts'

test('a token that was pasted with something else is named, and white space around it is removed', async () => {
  const cluster = await Cluster.start()
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const { token } = await signer.mint({ org: 'acme', subject: 'alice' })
  await cluster.caughtUp()
  const profile = await cluster.profile()
  const verify = ['token', 'verify', '--org', 'acme']
  expect((await commandLine(verify, { profile, stdin: `\r\n  ${token}\t\n` })).status).toBe(0)

  const minted = await commandLine(['token', 'mint', '--org', 'acme', '--subject', 'bob', '--json'], { profile })
  const cases = [
    [`"${token}"`, 'the token is in quotation marks', 'remove them'],
    [`Bearer ${token}`, 'the token has `Bearer ` before it', 'give only what follows it'],
    [minted.stdout, 'the token is inside a JSON document', 'take .token of it, for example with `jq -r .token`'],
    [`${token.slice(0, 40)}\n${token.slice(40)}`, 'the token is folded over 2 lines', 'join them into one'],
  ] as const
  for (const [stdin, what, action] of cases) {
    for (const args of [verify, ['revoke', '--token', '-'], ['token', 'show', '-'], ['token', 'inspect']]) {
      const ran = await commandLine(args, { profile, stdin })
      expect([args[0], ran.status, ran.stderr]).toEqual([
        args[0],
        1,
        `macaroond: ${what} (token_malformed)\n  ${action}\n`,
      ])
    }
    const verdict = await (await cluster.verifier()).verify(stdin, { org: 'acme' })
    expect(verdict).toMatchObject({ ok: false, message: `${what}: ${action}` })
    expect(await codeOf(signer.revoke({ token: stdin }))).toBe('token_malformed')
  }
  expect(await (await cluster.verifier()).verify(` ${token}\n`, { org: 'acme' })).toMatchObject({ ok: true })
  expect(await (await cluster.verifier()).explain(`${token}\n`, { org: 'acme' })).toMatchObject({
    verdict: { ok: true },
  })
  expect(await signer.revoke({ token: `\n${token}\n` })).toMatchObject({ kind: 'token', matched: 'recorded' })
})
