/**
 * Caveats that holders add can only narrow a token. Three cases: chunks of a file, scopes of an app, and an upload with a limit
 * that a presigned URL cannot express.
 */
import { systemClock } from '../../../shared/clock.ts'
import { attenuate, createMacaroon, decodeTokenText, encodeTokenText, systemEntropy } from '../../../shared/library.ts'
import { call, textIn } from '../shared/http.ts'
import { ServiceProcess } from '../shared/service-process.ts'
import { tell } from '../shared/story.ts'

await tell('Attenuated delegation: a holder gives less than it has, never more', async (story) => {
  const secret = systemEntropy.bytes(32)
  const env = { FILES_ROOT_KEY: secret.toString('hex') }
  const files = await ServiceProcess.start(story, new URL('files.ts', import.meta.url), { env })
  const root = encodeTokenText(createMacaroon({ secret, identifier: 'files 1' }))
  // A holder narrows a token without the service and without its key.
  const narrowed = (token: string, ...caveats: readonly string[]): string =>
    encodeTokenText(attenuate(decodeTokenText(token), caveats))
  const ask = async (path: string, token: string, init: RequestInit = {}): Promise<string> => {
    const { status, body } = await call(`${files.url}${path}`, { token, ...init })
    return status === 200 ? 'allowed' : `refused: ${textIn(body, 'caveat')}`
  }
  const chunks = async (token: string, ...wanted: readonly number[]): Promise<string> => {
    const answers = await Promise.all(wanted.map((chunk) => ask(`/chunks/${chunk}`, token)))
    return wanted.filter((_, index) => answers[index] === 'allowed').join(' ') || 'none'
  }

  story.chapter('the file service limits a token to chunks 100..500, and hands it to a forum')
  const some = narrowed(root, 'chunk in 100..500')
  const edges = [99, 100, 299, 300, 500, 501, 600, 900] as const
  await story.see('chunks that can be read', '100 299 300 500', () => chunks(some, ...edges))
  // A caveat outside the earlier one opens nothing, because all caveats must allow the access.
  const beyond = narrowed(some, 'chunk = 600')
  await story.see('the forum adds chunk = 600', 'none', () => chunks(beyond, ...edges))
  const overlap = narrowed(some, 'chunk in 300..900')
  await story.see('the forum adds chunk in 300..900', '300 500', () => chunks(overlap, ...edges))

  story.chapter('an app asks for the scopes user:email and read:org, and gets the first')
  const granted = narrowed(root, 'scope in user:email')
  const scopes = (token: string, wanted: string): Promise<string> => ask(`/scopes/${encodeURIComponent(wanted)}`, token)
  await story.see('user:email', 'allowed', () => scopes(granted, 'user:email'))
  await story.see('read:org', 'refused: scope in user:email', () => scopes(granted, 'read:org'))
  await story.see('both at once', 'refused: scope in user:email', () => scopes(granted, 'user:email read:org'))
  const hopeful = narrowed(granted, 'scope in user:email,read:org')
  await story.see('read:org, after the app grants it to itself', 'refused: scope in user:email', () =>
    scopes(hopeful, 'read:org'),
  )
  const less = narrowed(granted, 'chunk = 7')
  await story.see('passed on with less than the app has', 'refused: chunk = 7', () => scopes(less, 'user:email'))

  story.chapter('an upload, as a presigned request, and up to 100 kB')
  const until = Math.floor(systemClock.wallMs() / 1000) + 30
  const request = ['method = PUT', 'host = files.example', 'path prefix /uploads/alice/', 'content-type = image/png']
  const upload = narrowed(root, ...request, `time < ${until}`, 'size in 0..100000')
  const put = (path: string, bytes: number, type = 'image/png', method = 'PUT'): Promise<string> => {
    const init = { method, headers: { 'content-type': type }, body: Buffer.alloc(bytes) }
    return ask(`${path}?host=files.example`, upload, init)
  }
  await story.see('100,000 bytes', 'allowed', () => put('/uploads/alice/cat.png', 100_000))
  await story.see('one byte more', 'refused: size in 0..100000', () => put('/uploads/alice/cat.png', 100_001))
  await story.see('of another type', 'refused: content-type = image/png', () =>
    put('/uploads/alice/x', 10, 'text/html'),
  )
  const elsewhere = 'refused: path prefix /uploads/alice/'
  await story.see('to another folder', elsewhere, () => put('/uploads/bob/cat.png', 10))
  // `%2e%2e%2f` is `../` to a server that decodes twice, so the path is refused in every form.
  await story.see('to another folder, by an encoded `../`', elsewhere, () =>
    put('/uploads/alice/%2e%2e%2fbob/cat.png', 10),
  )
  await story.see('another method', 'refused: method = PUT', () =>
    put('/uploads/alice/cat.png', 10, 'image/png', 'POST'),
  )
  await files.passHalfAMinute()
  await story.see('after half a minute', 'refused: time < …', async () =>
    (await put('/uploads/alice/cat.png', 10)).replace(/time < \d+/, 'time < …'),
  )
})
