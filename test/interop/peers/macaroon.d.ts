/** As much of the npm package `macaroon` as is used here: it comes without types, as one CommonJS file. */
declare module 'macaroon' {
  export interface JsMacaroon {
    readonly signature: Uint8Array
    readonly caveats: readonly object[]
    readonly addFirstPartyCaveat: (condition: Uint8Array | string) => void
    readonly addThirdPartyCaveat: (key: Uint8Array, ticket: Uint8Array | string, location: string) => void
    readonly clone: () => JsMacaroon
    readonly bindToRoot: (rootSignature: Uint8Array) => void
    readonly verify: (key: Uint8Array, check: (condition: string) => string | null, discharges: JsMacaroon[]) => void
    readonly exportJSON: () => object
    readonly exportBinary: () => Uint8Array
  }

  interface JsLibrary {
    readonly newMacaroon: (options: {
      identifier: Uint8Array | string
      location: string
      rootKey: Uint8Array
      version: number
    }) => JsMacaroon
    readonly importMacaroon: (source: Uint8Array | object) => JsMacaroon
  }

  const library: JsLibrary
  export default library
}
