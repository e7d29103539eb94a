/** Parses and writes addresses: `host:port`, IPv6 in brackets. */
import type { Socket } from 'node:net'
import { MacaroondError } from '../errors.ts'
import { shown } from '../shown.ts'

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** Throws request_invalid. Port 0 is allowed for listening; the system then chooses one. */
export function parseAddress(text: string): HostPort {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  const port = Number(digits)
  if (host === undefined || port > 65_535) {
    throw new MacaroondError('request_invalid', `not an address: ${shown(text).slice(0, 80)}`, {
      hint: 'an address is host:port, IPv6 in brackets: [::1]:7000',
    })
  }
  return { host, port }
}

export function addressText({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** The other end's IP address. An IPv4-mapped one becomes IPv4, so that one host has one address on a dual-stack socket. */
export function remoteAddressOf(socket: Socket): string {
  return (socket.remoteAddress ?? 'unknown').replace(/^::ffff:(?=\d+\.)/, '')
}
