/**
 * Pure core that derives a bucket's address from an `s3://` URL in litestream's form, and from the environment variables of
 * AWS's tools.
 */
import { MacaroondError } from '../../errors.ts'

export interface S3Settings {
  /** The URL as given; it has no credentials. */
  readonly location: string
  /** Origin of the store. */
  readonly endpoint: string
  readonly bucket: string
  /** True if the bucket is in the path (`endpoint/bucket/key`), false if in the host name (`bucket.endpoint/key`). */
  readonly pathStyle: boolean
  readonly region: string
  /** Folder in the bucket, without a slash at its ends. */
  readonly prefix: string
}

const DEFAULT_REGION = 'us-east-1'
const PARAMETERS: readonly string[] = ['endpoint', 'region', 'forcePathStyle', 'force-path-style']
/** For each provider: the pattern that finds bucket and region in a host name, the host of a region, and the path style. */
const PROVIDERS: readonly (readonly [RegExp, (region: string) => string, pathStyle: boolean])[] = [
  [/^(.+)\.s3(?:[.-]([a-z0-9-]+))?\.amazonaws\.com$/, awsHost, false],
  [/^(.+)\.([a-z0-9-]+)\.digitaloceanspaces\.com$/, (region) => `${region}.digitaloceanspaces.com`, false],
  [/^(.+)\.s3\.([a-z0-9-]+)\.backblazeb2\.com$/, (region) => `s3.${region}.backblazeb2.com`, true],
  [/^(.+)\.s3\.([a-z0-9-]+)\.scw\.cloud$/, (region) => `s3.${region}.scw.cloud`, false],
  [/^(.+)\.s3\.filebase\.com$/, () => 's3.filebase.com', true],
]

/** Parses `s3://BUCKET/FOLDER?endpoint=URL&region=NAME&forcePathStyle=true|false`. Throws config_invalid, without secrets. */
export function parseS3Url(text: string, env: NodeJS.ProcessEnv): S3Settings {
  const url = parse(text)
  if (url.username !== '' || url.password !== '') throw invalid('its URL holds credentials', CREDENTIALS_HINT)
  const unknown = [...url.searchParams.keys()].find((name) => !PARAMETERS.includes(name))
  if (unknown !== undefined)
    throw invalid(`unknown parameter "${unknown.slice(0, 40)}"`, `a bucket's parameters are ${PARAMETERS.join(', ')}`)
  return { location: text, prefix: folderOf(url), ...addressOf(url, env) }
}

const CREDENTIALS_HINT =
  'give them as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or in the shared credentials file: logs and messages show a URL'

function addressOf(url: URL, env: NodeJS.ProcessEnv): Omit<S3Settings, 'location' | 'prefix'> {
  const provider = providerOf(url.host)
  const bucket = provider?.bucket ?? localBucket(url)
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/.test(bucket)) throw invalid('it names no bucket')
  const region =
    url.searchParams.get('region') ??
    provider?.region ??
    env['AWS_REGION'] ??
    env['AWS_DEFAULT_REGION'] ??
    DEFAULT_REGION
  if (!/^[A-Za-z0-9-]{1,64}$/.test(region)) throw invalid('its region is not a valid name')
  const custom = customEndpoint(url, env)
  const endpoint = custom ?? `https://${provider?.host(region) ?? awsHost(region)}`
  // A certificate for `*.host` does not cover bucket names with a dot.
  const pathStyle = forcedStyle(url) ?? (custom !== undefined || provider?.pathStyle === true || bucket.includes('.'))
  return { endpoint, bucket, pathStyle, region }
}

function parse(text: string): URL {
  const url = text.length > 2_048 ? null : URL.parse(text)
  if (url === null || url.protocol !== 's3:' || url.host === '' || url.hash !== '')
    throw invalid('it is not an s3:// URL')
  return url
}

/** A folder is required: without one litestream finds nothing in most stores, and other programs may use the bucket too. */
function folderOf(url: URL): string {
  let path: string
  try {
    path = decodeURIComponent(url.pathname)
  } catch {
    throw invalid('its path has a wrong percent-encoding')
  }
  const folder = path.replaceAll(/^\/+|\/+$/g, '')
  if (folder === '') throw invalid('it names no folder in the bucket', 'for example s3://my-bucket/macaroond')
  const isPlain = folder.split('/').every((part) => !['', '.', '..'].includes(part))
  if (isPlain && folder.length <= 512 && /^[^\p{Cc}\\]+$/u.test(folder)) return folder
  throw invalid('its folder has parts that some stores change, such as ".." or an empty name')
}

function providerOf(host: string):
  | {
      readonly bucket: string
      readonly region: string | undefined
      readonly host: (region: string) => string
      readonly pathStyle: boolean
    }
  | undefined {
  for (const [form, hostOf, pathStyle] of PROVIDERS) {
    const [, bucket, region] = form.exec(host) ?? []
    if (bucket !== undefined) return { bucket, region, host: hostOf, pathStyle }
  }
  return undefined
}

function awsHost(region: string): string {
  return `s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`
}

/**
 * Returns the bucket of a URL without a known provider. A port means litestream's short form for a local store without TLS,
 * `bucket.localhost:9000`: there the bucket is the first part of the host name.
 */
function localBucket({ host, port, hostname }: URL): string {
  if (port === '') return host
  return hostname.includes('.') ? hostname.slice(0, hostname.indexOf('.')) : ''
}

function customEndpoint(url: URL, env: NodeJS.ProcessEnv): string | undefined {
  const given = url.searchParams.get('endpoint')
  if (given !== null) return originOf(given)
  if (providerOf(url.host) !== undefined) return undefined
  if (url.port !== '') return originOf(`http://${url.host.slice(url.host.indexOf('.') + 1)}`)
  const fromEnvironment = env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL']
  return fromEnvironment === undefined || fromEnvironment === '' ? undefined : originOf(fromEnvironment)
}

function originOf(text: string): string {
  const isLocal = /^(localhost|127\.|\[::1\])/.test(text)
  const url = URL.parse(/^https?:\/\//.test(text) ? text : `${isLocal ? 'http' : 'https'}://${text}`)
  if (url === null) throw invalid('its endpoint is not a URL')
  if (url.username !== '' || url.password !== '') throw invalid('its endpoint holds credentials', CREDENTIALS_HINT)
  if (url.pathname !== '/' || url.search !== '')
    throw invalid('its endpoint must be a scheme and a host, without a path')
  return url.origin
}

function forcedStyle({ searchParams }: URL): boolean | undefined {
  const text = searchParams.get('forcePathStyle') ?? searchParams.get('force-path-style')
  if (text === null) return undefined
  if (text === 'true' || text === 'false') return text === 'true'
  throw invalid('forcePathStyle must be true or false')
}

function invalid(
  what: string,
  hint: string = 's3://BUCKET/FOLDER, and for other stores than AWS ?endpoint=https://HOST&region=NAME',
): MacaroondError {
  return new MacaroondError('config_invalid', `not a bucket for an archive: ${what}`, { hint })
}

/** Builds the URL of a request. It encodes all special characters, so that `fetch` sends the URL that was signed. */
export function urlOf(
  { endpoint, bucket, pathStyle }: S3Settings,
  name: string = '',
  query: Readonly<Record<string, string>> = {},
): string {
  const origin = pathStyle ? `${endpoint}/${bucket}` : endpoint.replace('://', `://${bucket}.`)
  const path = name === '' && pathStyle ? '' : `/${name.split('/').map(encode).join('/')}`
  const pairs = Object.entries(query).map(([key, value]) => `${encode(key)}=${encode(value)}`)
  return `${origin}${path}${pairs.length === 0 ? '' : `?${pairs.join('&')}`}`
}

function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.codePointAt(0)?.toString(16).toUpperCase()}`,
  )
}
