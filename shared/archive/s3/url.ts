/** Pure core that builds the URL of a request. */
import type { S3Settings } from './settings.ts'

/** Encodes every byte that is not plain, so that the sent URL equals the signed one. */
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
