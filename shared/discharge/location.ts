/** Parses the location of a third party: the http or https URL below which it serves the protocol. */
import { LOCATION_BYTES_MAX } from '../limits.ts'
import { DISCHARGE_PATH } from './message.ts'

export interface Endpoint {
  readonly origin: string
  /** The host, with its port if that is not the default of the scheme. */
  readonly host: string
  /** True if the scheme is https. */
  readonly secure: boolean
  /** The path of the request. */
  readonly path: string
  readonly url: string
}

/** Undefined if the text is not such a URL, or has a user, a query or a fragment. */
export function endpointOf(location: string): Endpoint | undefined {
  const url = location.length <= LOCATION_BYTES_MAX ? parseUrl(location) : undefined
  if (url === undefined || url.search !== '' || url.hash !== '') return undefined
  const path = url.pathname.replace(/\/+$/, '') + DISCHARGE_PATH
  return { origin: url.origin, host: url.host, secure: url.protocol === 'https:', path, url: url.origin + path }
}

/** Parses an http or https URL. Undefined for any other text, and for a URL with a user or password. */
export function parseUrl(text: string): URL | undefined {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return undefined
  return url.username === '' && url.password === '' ? url : undefined
}

/** True if the host is this machine, where plain http is as safe as https. */
export function isLoopback(url: { readonly host: string }): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/.test(url.host)
}
