/** The location of a third party: the http or https URL that the paths of the protocol stand behind. */
import { LOCATION_BYTES_MAX } from '../limits.ts'
import { DISCHARGE_PATH } from './message.ts'

export interface Endpoint {
  readonly origin: string
  /** Host, with its port where that is not the scheme's own. */
  readonly host: string
  readonly secure: boolean
  /** Path that the request goes to. */
  readonly path: string
  readonly url: string
}

/** Undefined for what is no such URL, and for one with a user, a query or a fragment. */
export function endpointOf(location: string): Endpoint | undefined {
  const url = location.length <= LOCATION_BYTES_MAX ? parseUrl(location) : undefined
  if (url === undefined || url.search !== '' || url.hash !== '') return undefined
  const path = url.pathname.replace(/\/+$/, '') + DISCHARGE_PATH
  return { origin: url.origin, host: url.host, secure: url.protocol === 'https:', path, url: url.origin + path }
}

/** An http or https URL without a user in it. */
export function parseUrl(text: string): URL | undefined {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return undefined
  return url.username === '' && url.password === '' ? url : undefined
}

/** A plain http URL is as good as https where nobody is in between. */
export function isLoopback(url: { readonly host: string }): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/.test(url.host)
}
