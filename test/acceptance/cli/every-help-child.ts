/** Prints the help of every command, one after the other, in one process: to be run on a terminal. */
import type { Command } from 'commander'
import { program, run } from '../../../ops/command-line.ts'
import { ownStreams, Terminal } from '../../../ops/terminal.ts'

function pathsOf(command: Command, path: readonly string[]): readonly (readonly string[])[] {
  return [path, ...command.commands.flatMap((child) => pathsOf(child, [...path, child.name()]))]
}

// Each command listens for errors of the same two streams.
for (const stream of [process.stdout, process.stderr]) stream.setMaxListeners(0)

const root = await program(new Terminal(ownStreams(), false), [])
for (const path of pathsOf(root, [])) {
  process.stdout.write(`== ${path.join(' ')}\n`)
  await run([...path, '--help'])
}
