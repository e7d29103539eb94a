/** Parses a token id, `<kid>.<nonce>`, in a caveat. */
import { type Kid, type Nonce, type TokenId, tokenId } from '../../ids.ts'
import { isNonce } from '../nonce.ts'

export interface TokenName {
  readonly kid: Kid
  readonly nonce: Nonce
  readonly id: TokenId
}

const NAME = /^([0-9a-f]{16})\.([0-9a-f]{32})$/

export function parseTokenName(text: string): TokenName | undefined {
  const [, kid, nonce] = NAME.exec(text) ?? []
  if (kid === undefined || nonce === undefined || !isNonce(nonce)) return undefined
  return { kid: kid as Kid, nonce, id: tokenId(kid as Kid, nonce) }
}
