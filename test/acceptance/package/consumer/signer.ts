import { createSigner } from 'macaroond/signer'

type IsAny<T> = 0 extends 1 & T ? true : false

// A declaration that does not resolve would make the client `any`.
export const typed: [IsAny<typeof createSigner>, IsAny<ReturnType<typeof createSigner>>] = [false, false]

if (typeof createSigner !== 'function') throw new Error('createSigner is missing')
console.log('ok')
