/**
 * Which third parties a client asks, and with which credential. The location of a caveat is signed by nobody: whoever
 * made or passed on a token could name any host there, also one inside the network of the client, so only hosts that
 * the client's owner named are asked, and each one hears its own credential only.
 */
import { MacaroondError } from '../errors.ts'
import { type Endpoint, endpointOf, isLoopback } from './location.ts'

export interface DischargeEndpoint extends Endpoint {
  /** Value of the Authorization header, if this host gets one. */
  readonly credential: string | undefined
}

export class ThirdParties {
  readonly #credentials: ReadonlyMap<string, string | undefined>

  /** Keys are hosts, with their port if it is not the scheme's own, or whole origins for plain http beyond loopback. */
  constructor(credentials: Readonly<Record<string, string>>, hosts: readonly string[]) {
    this.#credentials = new Map<string, string | undefined>([
      ...hosts.map((host) => [host.toLowerCase(), undefined] as const),
      ...Object.entries(credentials).map(([host, credential]) => [host.toLowerCase(), credential] as const),
    ])
  }

  /** True for an origin that was named as such. */
  names(origin: string): boolean {
    return this.#credentials.has(origin)
  }

  /** Throws third_party_unknown. */
  at(location: string): DischargeEndpoint {
    const endpoint = endpointOf(location)
    if (endpoint === undefined) throw unknown('a third-party caveat names no http or https location')
    const { origin, host } = endpoint
    if (this.#credentials.has(origin)) return { ...endpoint, credential: this.#credentials.get(origin) }
    if (!this.#credentials.has(host)) throw unknown(`the third party at ${host} is none that was named`)
    if (!endpoint.secure && !isLoopback(endpoint)) {
      throw unknown(`the third party at ${host} would be asked without encryption`)
    }
    return { ...endpoint, credential: this.#credentials.get(host) }
  }
}

function unknown(what: string): MacaroondError {
  return new MacaroondError('third_party_unknown', what, {
    hint: 'name its host among the credentials or hosts of the client, if it is to be asked; as http://host if without TLS',
  })
}
