/** The HyperDex example: a key-value store that protects each object, and a login service that the store does not know. */
import {
  addThirdPartyCaveat,
  attenuate,
  bindDischarges,
  createMacaroon,
  decodeTokenText,
  encodeBundle,
  encodeTokenText,
  type Macaroon,
  systemEntropy,
} from '../../../shared/library.ts'
import { systemClock } from '../../../shared/clock.ts'
import { call, outcome, textIn } from '../shared/http.ts'
import { ServiceProcess } from '../shared/service-process.ts'
import { tell } from '../shared/story.ts'

const SECRET = systemEntropy.bytes(32)

await tell('HyperDex: a key-value store whose objects are protected one by one', async (story) => {
  const store = await ServiceProcess.start(story, new URL('store.ts', import.meta.url))
  const login = await ServiceProcess.start(story, new URL('login.ts', import.meta.url))
  const object = `${store.url}/${encodeURIComponent('john smith')}`
  const balance = (body: Record<string, unknown>): string => `balance ${textIn(body, 'balance')}`
  const get = async (token = ''): Promise<string> => outcome(await call(object, { token }), balance)
  const addFive = async (token = ''): Promise<string> =>
    outcome(await call(object, { token, method: 'POST', body: JSON.stringify({ add: 5 }) }), balance)
  const inSeconds = (seconds: number): number => Math.floor(systemClock.wallMs() / 1000) + seconds

  story.chapter('an account with a secret')
  await story.see('put "john smith"', 'stored', async () => {
    const body = JSON.stringify({ value: { balance: 10 }, secret: SECRET.toString('hex') })
    return outcome(await call(object, { method: 'PUT', body }), () => 'stored')
  })
  await story.see('get without a macaroon', 'unauthorized', () => get())
  await story.see('add without a macaroon', 'unauthorized', () => addFive())

  story.chapter('the owner makes a root macaroon from the secret')
  const root: Macaroon = createMacaroon({ secret: SECRET, identifier: 'account number' })
  await story.see('get', 'balance 10', () => get(encodeTokenText(root)))
  await story.see('add 5', 'balance 15', () => addFive(encodeTokenText(root)))
  const foreign = createMacaroon({ secret: systemEntropy.bytes(32), identifier: 'account number' })
  await story.see('get with one that was made from another secret', 'unauthorized', () => get(encodeTokenText(foreign)))

  story.chapter('narrowed to reading')
  const reading = encodeTokenText(attenuate(root, ['op = read']))
  await story.see('get', 'balance 15', () => get(reading))
  await story.see('add 5', 'unauthorized', () => addFive(reading))

  story.chapter('and to half a minute')
  const brief = encodeTokenText(attenuate(root, ['op = read', `time < ${inSeconds(30)}`]))
  await story.see('get at once', 'balance 15', () => get(brief))

  story.chapter('a login that the store has never heard of')
  const caveatKey = systemEntropy.bytes(32)
  const registered = await call(`${login.url}/register`, {
    method: 'POST',
    body: JSON.stringify({ key: caveatKey.toString('hex'), user: 'john', password: 'correct horse' }),
  })
  const identifier = textIn(registered.body, 'identifier')
  // The store has never heard of the login service: the caveat carries all that is needed to check a discharge.
  const guarded = addThirdPartyCaveat(root, { caveatKey, ticket: identifier, location: login.url }, systemEntropy)
  await story.see('the token alone', 'unauthorized', () => get(encodeTokenText(guarded)))
  const logIn = async (changes: object = {}): Promise<string> => {
    const body = JSON.stringify({ identifier, user: 'john', password: 'correct horse', ...changes })
    const { body: answer } = await call(`${login.url}/discharge`, { method: 'POST', body })
    return textIn(answer, 'discharge') || 'nothing'
  }
  await story.see('a wrong password gets', 'nothing', () => logIn({ password: 'horse' }))
  await story.see('an unknown identifier gets', 'nothing', () => logIn({ identifier: 'another' }))
  const discharge = decodeTokenText(await logIn())
  // Bound to this token, so that the discharge is worth nothing beside another one.
  const bundle = encodeBundle(bindDischarges(guarded, [discharge]))
  await story.see('with the discharge, bound to it', 'balance 15', () => get(bundle))
  await story.see('with the discharge, not bound', 'unauthorized', () => get(encodeBundle([guarded, discharge])))

  story.chapter('half a minute later, by the clock of the store')
  await store.passHalfAMinute()
  await story.see('get with the brief token', 'unauthorized', () => get(brief))
  await story.see('get with the old discharge', 'unauthorized', () => get(bundle))
  await story.see('the root macaroon still', 'balance 15', () => get(encodeTokenText(root)))
})
