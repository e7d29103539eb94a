/**
 * Decides which third parties a client contacts, and with which credential. No signature covers the location of a caveat, so
 * anybody who had the token could name any host there, even one inside the client's network. A client therefore contacts
 * only hosts that its owner listed, and sends each host only its own credential.
 */
import { MacaroondError } from '../errors.ts'
import { type Endpoint, endpointOf, isLoopback } from './location.ts'

export interface DischargeEndpoint extends Endpoint {
  /** Value of the Authorization header for this host, if any. */
  readonly credential: string | undefined
}

export class ThirdParties {
  readonly #credentials: ReadonlyMap<string, string | undefined>

  /** A key is a host, with its port if not the default, or a whole origin such as `http://store:8080` for plain http. */
  constructor(credentials: Readonly<Record<string, string>>, hosts: readonly string[]) {
    this.#credentials = new Map<string, string | undefined>([
      ...hosts.map((host) => [host.toLowerCase(), undefined] as const),
      ...Object.entries(credentials).map(([host, credential]) => [host.toLowerCase(), credential] as const),
    ])
  }

  /** True if the owner listed this whole origin. */
  names(origin: string): boolean {
    return this.#credentials.has(origin)
  }

  /** The endpoint for the location of a caveat. Throws third_party_unknown. */
  at(location: string): DischargeEndpoint {
    const endpoint = endpointOf(location)
    if (endpoint === undefined) throw unknown('a third-party caveat has no http or https location')
    const { origin, host } = endpoint
    if (this.#credentials.has(origin)) return { ...endpoint, credential: this.#credentials.get(origin) }
    if (!this.#credentials.has(host))
      throw unknown(`the third party at ${host} is not one that this client may contact`)
    if (!endpoint.secure && !isLoopback(endpoint)) {
      throw unknown(`the third party at ${host} would be contacted without encryption`)
    }
    return { ...endpoint, credential: this.#credentials.get(host) }
  }
}

function unknown(what: string): MacaroondError {
  return new MacaroondError('third_party_unknown', what, {
    hint: 'to allow it, add its host to the credentials or hosts of the client; without TLS, add it as http://host',
  })
}
