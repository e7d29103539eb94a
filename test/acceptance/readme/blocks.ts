/**
 * The fenced blocks of a page of documentation. A comment before each block names the test that runs it:
 * `<!-- test: KIND -->`, or `<!-- test: KIND FILE -->` if the block is a file of the reader.
 */
export interface Block {
  readonly name: string
  /** The name of the file that the reader would save the block in; empty if the comment has none. */
  readonly file: string
  readonly language: string
  readonly code: string
}

const FENCE = /(?:<!-- test: ([\w.-]+)(?: ([\w./-]+))? -->\n\n)?^```(\w*)\n([\s\S]*?)^```$/gm

export function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(FENCE)].map(([, name = '', file = '', language = '', code = '']) => {
    return { name, file, language, code }
  })
}

/** Lines of a shell block with the exit status each promises: `# exit N` in the line, else 0. */
export function shellLines(code: string): { readonly line: string; readonly status: number }[] {
  const lines = code.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'))
  return lines.map((line) => ({ line, status: statusIn(line) }))
}

/** A command of a terminal session, with the exit status and the output that the page shows. */
export interface TypedCommand {
  readonly line: string
  readonly status: number
  /** Empty if the page leaves the output out: then it is not compared. */
  readonly output: string
}

/**
 * The commands of a block `console`: each begins with `$ `, and the lines up to the next one are its output. A backslash at the
 * end of a line continues the command.
 */
export function typedCommands(code: string): readonly TypedCommand[] {
  return code
    .replaceAll(/\\\n\s*/g, '')
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [line = '', ...output] = part.split('\n')
      return { line, status: statusIn(line), output: output.join('\n').trim() }
    })
}

function statusIn(line: string): number {
  return Number(/# exit (\d)/.exec(line)?.[1] ?? 0)
}
