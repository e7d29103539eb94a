/** nginx, asked over HTTP what it makes of a path: it decodes once, merges slashes and resolves dot segments. */
import { spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Decoder } from './decoder.ts'

export interface Nginx {
  readonly decoder: Decoder
  readonly close: () => void
}

const START_MS_MAX = 20_000
const REQUESTS_AT_ONCE = 16

/** Rejects with what is missing and how to get it. */
export async function startNginx(scratch: string): Promise<Nginx> {
  const socket = join(scratch, 'nginx.sock')
  const config = join(scratch, 'nginx.conf')
  writeFileSync(config, configText(scratch, socket))
  const child = spawn('/usr/sbin/nginx', ['-c', config, '-p', scratch, '-e', join(scratch, 'error.log')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  let failure: Error | undefined
  child.once('error', (cause) => {
    failure = new Error('this suite needs nginx: install it (Debian: nginx-light)', { cause })
  })
  child.once('exit', (code) => {
    failure ??= new Error(`nginx ended with ${code}`)
  })
  for (let waited = 0; !existsSync(socket); waited += 20) {
    if (failure !== undefined) throw failure
    if (waited > START_MS_MAX) throw new Error('nginx does not start')
    await sleep(20)
  }
  const agent = new Agent({ keepAlive: true, maxSockets: REQUESTS_AT_ONCE })
  const close = (): void => {
    agent.destroy()
    child.kill('SIGKILL')
  }
  return { decoder: (paths) => Promise.all(paths.map((path) => placesOf(path, { socketPath: socket, agent }))), close }
}

/** The body of the answer is the path as nginx has it, byte for byte. */
function configText(scratch: string, socket: string): string {
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const temporary = kinds.map((kind) => `${kind}_temp_path ${join(scratch, kind)};`).join(' ')
  return `
    daemon off; master_process off; pid ${join(scratch, 'nginx.pid')};
    events { worker_connections 256; }
    http {
      access_log off; keepalive_requests 100000000; ${temporary}
      server { listen unix:${socket}; location / { default_type text/plain; return 200 "$uri"; } }
    }`
}

/** No request line holds white space or a control character. */
const UNSENDABLE = /[^\x21-\xff]|\x7f/

function placesOf(path: string, where: { socketPath: string; agent: Agent }): Promise<readonly string[]> {
  if (UNSENDABLE.test(path)) return Promise.resolve([])
  return new Promise((resolve, reject) => {
    const asked = request({ ...where, path }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.once('error', reject)
      answer.once('end', () => resolve(answer.statusCode === 200 ? [Buffer.concat(chunks).toString('latin1')] : []))
    })
    asked.once('error', reject)
    asked.end()
  })
}
