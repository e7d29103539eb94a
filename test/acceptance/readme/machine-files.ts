/**
 * Checks of files that only a real machine runs: a unit of systemd, a Dockerfile, a Compose file. The unit is verified by
 * systemd itself where it is installed. The others are read line by line, and the command in them must be one of ours.
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { program } from '../../../ops/command-line.ts'
import { Terminal } from '../../../ops/terminal.ts'
import { capture } from '../../ops/streams.ts'
import type { Block } from './blocks.ts'

/** Throws unless commander knows the command and each of its options. */
async function expectCommand(words: readonly string[]): Promise<void> {
  const root = await program(new Terminal(capture(), false), words)
  const command = root.commands.find((one) => one.name() === words[0])
  const options = words.filter((word) => word.startsWith('-'))
  expect(options.filter((option) => command?.options.every(({ long }) => long !== option) ?? true)).toEqual([])
}

export async function expectUnit({ file, code }: Block, folder: string): Promise<void> {
  const [, executable = '', words = ''] = /^ExecStart=(\S+) (.*)$/m.exec(code) ?? []
  await expectCommand(words.split(' '))
  for (const line of code.split('\n')) expect(line).toMatch(/^(\[\w+\]|[A-Z]\w+=\S.*|)$/)
  const path = join(folder, file)
  // The program and the user are those of another machine.
  writeFileSync(path, code.replace(executable, process.execPath).replace(/^User=.*\n/m, ''))
  const { error, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], { encoding: 'utf8' })
  // A key that systemd ignores is a warning only. Without systemd, the form of the lines is all that is checked.
  if (error === undefined) expect(stderr.split('\n').filter((line) => line.includes(file))).toEqual([])
}

/** The command of a container, as a list in JSON or in YAML's flow style. */
function commandIn(code: string, before: RegExp): readonly string[] {
  const [, list = ''] = before.exec(code) ?? []
  return [...list.matchAll(/['"]([^'"]+)['"]/g)].map(([, word = '']) => word)
}

export async function expectDockerfile({ code }: Block): Promise<void> {
  const known = /^(FROM|COPY|RUN|USER|WORKDIR|VOLUME|ENTRYPOINT|CMD) \S/
  for (const line of code.trim().split('\n')) expect(line).toMatch(known)
  expect(code).toMatch(/^FROM node:\d+/)
  expect(commandIn(code, /^ENTRYPOINT \[(.*)\]$/m)).toEqual(['macaroond'])
  await expectCommand(commandIn(code, /^CMD \[(.*)\]$/m))
}

export async function expectCompose({ code }: Block): Promise<void> {
  for (const line of code.trimEnd().split('\n')) expect(line).toMatch(/^(  )*[a-z_]+:( \S.*)?$/)
  await expectCommand(commandIn(code, /^ +command: \[(.*)\]$/m))
}
