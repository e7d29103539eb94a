/** What of the decoders a run reached, as V8 counts it: lines that hold code, and branches, which are V8's blocks. */
import { type Debugger, type Profiler, Session } from 'node:inspector'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type FileCoverage, type IstanbulFile, jointCoverage } from '../evidence/coverage.ts'
import { decoderRooms, ROOT } from './decoders.ts'

export interface DecoderCoverage extends FileCoverage {
  /** A function of it was called; of one that has none, it was loaded. */
  readonly entered: boolean
}

export class Coverage {
  readonly #session = new Session()

  /** Before what is to be counted is loaded: what was compiled without counters has none. */
  constructor() {
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  take(): readonly DecoderCoverage[] {
    const { result } = this.#post<Profiler.TakePreciseCoverageReturnType>('Profiler.takePreciseCoverage')
    const byUrl = new Map(result.map((script) => [script.url, script]))
    this.#post('Debugger.enable')
    return decoderRooms().flatMap(({ files }) =>
      files.map((file) => this.#coverageOf(file, byUrl.get(pathToFileURL(join(ROOT, file)).href))),
    )
  }

  #coverageOf(file: string, script: Profiler.ScriptCoverage | undefined): DecoderCoverage {
    if (script === undefined) return { file, lines: [0, 0], branches: [0, 0], entered: false }
    const { scriptId, functions } = script
    // As it ran: types are blanks in it.
    const { scriptSource } = this.#post<Debugger.GetScriptSourceReturnType>('Debugger.getScriptSource', { scriptId })
    const own = functions.slice(1)
    const called = own.some(({ ranges }) => (ranges[0]?.count ?? 0) > 0)
    const { coverage } = jointCoverage(file, scriptSource, mapOf(scriptSource, own), [script])
    return { ...coverage, entered: called || own.length === 0 }
  }

  /** The session is one with this very thread, which answers at once. */
  #post<T>(method: string, params: object = {}): T {
    let answer: unknown
    this.#session.post(method, params, (error, result) => {
      if (error !== null) throw error
      answer = result
    })
    return answer as T
  }
}

/** Where the lines and the blocks begin; how often they ran is for the counts of V8 to say. */
function mapOf(source: string, functions: readonly Profiler.FunctionCoverage[]): IstanbulFile {
  const lines = codeLines(source)
  const blocks = functions.flatMap(({ ranges }) => ranges.map(({ startOffset }) => startOffset))
  const place = (line: number, column: number): { start: { line: number; column: number }; end: object } => {
    return { start: { line, column }, end: {} }
  }
  const placeOf = (offset: number): ReturnType<typeof place> => {
    const before = source.slice(0, offset).split('\n')
    return place(before.length, before.at(-1)?.length ?? 0)
  }
  return {
    statementMap: Object.fromEntries(lines.map(([line, column], id) => [id, place(line, column)])),
    s: {},
    branchMap: Object.fromEntries(blocks.map((offset, id) => [id, { locations: [placeOf(offset)] }])),
    b: {},
  }
}

/** Lines, from 1, and where they begin: without imports and remarks, and those that only close something. */
function codeLines(source: string): readonly (readonly [line: number, column: number])[] {
  const found: (readonly [number, number])[] = []
  let importing = false
  for (const [index, line] of source.split('\n').entries()) {
    const text = line.trim()
    importing ||= text.startsWith('import ')
    const isCode = !importing && /\w/.test(text) && !/^(\/\/|\/\*|\*)/.test(text)
    if (importing && text.endsWith("'")) importing = false
    if (isCode) found.push([index + 1, line.length - line.trimStart().length])
  }
  return found
}
