/** Debian's Chromium, headless: loads one page of a server here, and hands back what the page posts. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome']
/** A loaded machine needs half a minute to start a browser. */
const PAGE_TIMEOUT_MS = 120_000

/** The program and its version. Fails with what is missing and how to get it. */
export function chromium(): { readonly program: string; readonly version: string } {
  const tried = PROGRAMS.map((program) => ({ program, ...spawnSync(program, ['--version'], { timeout: 60_000 }) }))
  const found = tried.find(({ status }) => status === 0)
  if (found !== undefined) return { program: found.program, version: found.stdout.toString().trim() }
  throw new Error(`this suite needs a Chromium: apt-get install chromium (Debian). Tried ${PROGRAMS.join(', ')}`)
}

/** Files by their path; `/` is the page. A page ends by posting to `/done`, and the body is returned. */
export async function loadPage(files: Readonly<Record<string, string>>): Promise<string> {
  const { program } = chromium()
  const server = createServer()
  const posted = serve(server, files)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const profile = mkdtempSync(join(tmpdir(), 'macaroond-chromium-'))
  const browser = start(program, profile, (server.address() as AddressInfo).port)
  try {
    return await Promise.race([posted, failure(browser)])
  } finally {
    await end(browser)
    server.close()
    server.closeAllConnections()
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  }
}

function serve(server: Server, files: Readonly<Record<string, string>>): Promise<string> {
  return new Promise((resolve) => {
    server.on('request', (request: IncomingMessage, response) => {
      const path = request.url ?? '/'
      if (path === '/done') void text(request).then(resolve)
      const type = path.endsWith('.js') ? 'text/javascript' : 'text/html; charset=utf-8'
      response.writeHead(path === '/done' || path in files ? 200 : 404, { 'content-type': type })
      response.end(files[path] ?? '')
    })
  })
}

/** In a process group of its own, because a browser is many processes. Debian's sandbox needs rights that CI lacks. */
function start(program: string, profile: string, port: number): ChildProcess {
  const quiet = ['--disable-gpu', '--disable-dev-shm-usage', '--disable-extensions', '--no-first-run']
  const args = ['--headless', '--no-sandbox', ...quiet, `--user-data-dir=${profile}`, `http://127.0.0.1:${port}/`]
  return spawn(program, args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
}

async function failure(browser: ChildProcess): Promise<never> {
  let said = ''
  browser.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4_000)))
  const timeout = new AbortController()
  const timer = setTimeout(() => timeout.abort(), PAGE_TIMEOUT_MS)
  try {
    await once(browser, 'close', { signal: timeout.signal })
  } catch {
    throw new Error(`the page posted nothing within ${PAGE_TIMEOUT_MS} ms; Chromium said: ${said}`)
  } finally {
    clearTimeout(timer)
  }
  throw new Error(`Chromium ended before the page posted: ${said}`)
}

async function end(browser: ChildProcess): Promise<void> {
  if (browser.pid === undefined || browser.exitCode !== null) return
  const closed = once(browser, 'close')
  process.kill(-browser.pid, 'SIGKILL')
  await closed
}
