import { createVerifier } from 'macaroond/worker'

type IsAny<T> = 0 extends 1 & T ? true : false

// A declaration that does not resolve would make the client `any`.
export const typed: [IsAny<typeof createVerifier>, IsAny<ReturnType<typeof createVerifier>>] = [false, false]

if (typeof createVerifier !== 'function') throw new Error('createVerifier is missing')
console.log('ok')
