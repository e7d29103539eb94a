import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { run } from '../../../ops/command-line.ts'
import { capture } from '../streams.ts'

async function script(shell: string): Promise<string> {
  const streams = capture()
  expect(await run(['completion', shell], streams)).toBe(0)
  await new Promise((resolve) => setImmediate(resolve))
  return streams.out()
}

/** What bash offers for the last of the words. */
function offered(bash: string, words: readonly string[]): readonly string[] {
  const quoted = words.map((word) => `'${word}'`).join(' ')
  const ask = `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _macaroond; printf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['-c', `${bash}\n${ask}`], { encoding: 'utf8' })
    .trim()
    .split('\n')
}

test('bash completes commands, their subcommands and their options, also after options', async () => {
  const bash = await script('bash')
  expect(offered(bash, ['macaroond', 'to'])).toEqual(['tour', 'token'])
  expect(offered(bash, ['macaroond', '--json', 'token', 'l'])).toEqual(['list'])
  expect(offered(bash, ['macaroond', 'token', 'list', '--org', 'acme', '--s'])).toEqual(['--subject', '--since'])
  expect(offered(bash, ['macaroond', 'audit', 'list', '--f'])).toEqual(['--follow'])
  expect(offered(bash, ['macaroond', 'revoke', '--prof'])).toEqual(['--profile'])
  expect(offered(bash, ['macaroond', 'token', 'nonsense'])).toEqual([''])
})

test.each(['bash', 'zsh', 'fish'])('the script for %s has the words of every command', async (shell) => {
  const text = await script(shell)
  for (const word of [' token list', ' archive rehearse', ' completion', '--subject', '--lenient-files']) {
    expect(text).toContain(word)
  }
  expect(text).not.toContain('undefined')
})
