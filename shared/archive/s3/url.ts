/** Where an object is. Pure. */
import type { S3Settings } from './settings.ts'

/** Each byte of a name that is not plain is encoded, so that what is signed is what is sent. */
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
