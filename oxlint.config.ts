import { defineConfig, type OxlintConfig, type OxlintOverride } from 'oxlint'

/**
 * The layers of ARCHITECTURE.md as lint rules. An override replaces the options of a rule as a whole and the last
 * one that matches a file wins, so each kind of file gets one complete list of what it must not import.
 * `test/ops/tooling/layers.test.ts` plants a violation of every rule: a glob that matches nothing would be silent.
 */
interface Ban {
  readonly regex: string
  readonly message: string
  readonly importNames?: string[]
  readonly allowTypeImports?: boolean
}

/** `../replica/` anywhere in a relative specifier: imports that cross a layer always go up first. */
const folder = (name: string, message: string): Ban => ({ regex: `(^|/)\\.\\./${name}/`, message })

const noTest = folder('test', 'Only tests import tests.')
const noPrimary = folder('primary', 'This layer must not know the primary.')
const noReplica = folder('replica', 'This layer must not know the replica.')
const noOps = folder('ops', 'Nothing below ops imports ops.')
const noSelf: Ban = { regex: '^(macaroond(/|$)|#)', message: 'Import the file, with a relative path.' }
const noSqlite: Ban = {
  regex: '^better-sqlite3(/|$)',
  message: 'Only shared/sqlite touches the driver; take a connection from there.',
  allowTypeImports: true,
}
const noNoise: Ban = { regex: '^(@chainsafe|@libp2p)/', message: 'Only shared/channel knows Noise and libp2p.' }
const noTimers: Ban = { regex: '^(node:)?timers(/promises)?$', message: 'Take Timers (shared/clock.ts).' }
/** `default` too: with the whole module in hand the names below would be within reach. */
const noCiphers: Ban = {
  regex: '^(node:)?crypto$',
  importNames: [
    'default',
    'createCipheriv',
    'createDecipheriv',
    'createHmac',
    'createSign',
    'createVerify',
    'timingSafeEqual',
    'webcrypto',
  ],
  message: 'Keyed cryptography and constant-time comparison live in shared/crypto.ts.',
}

const WAITING = ['setTimeout', 'setInterval', 'setImmediate'].map((name) => ({
  name,
  message: 'Take Timers (shared/clock.ts).',
}))

/** Modules of shared/macaroon that need Node. `macaroond/holder` loads only the others of that room. */
const NODE_SIDE = [
  'attenuate',
  'base64url',
  'bind',
  'bundle',
  'signature',
  'text',
  'third-party',
  'ticket',
  'verifier-id',
] as const
/** Modules of its room predicate/ that judge an access, where `node:net` reads addresses. */
const JUDGING = ['asked-value', 'cache', 'compile', 'network', 'predicate', 'values'] as const
/** What a browser loads: `shared/holder` and everything that it imports. */
const PORTABLE = [
  'shared/holder/**',
  'shared/macaroon/*.ts',
  'shared/macaroon/predicate/{clause,instant,interval,time,unknown}.ts',
  'shared/{errors,hmac,ids,limits,shown}.ts',
]
/** Packages with a scope are @noble/hashes, or banned by other rules. */
const noNode: readonly Ban[] = [
  { regex: '^[a-z]', message: 'A browser loads this file: take what Node or a package has as a parameter.' },
  {
    regex: `(^|/)(clock|crypto|id-schemas|${[...NODE_SIDE, ...JUDGING].join('|')})\\.ts$`,
    message: 'A browser loads this file, and that module needs Node.',
  },
]

const everywhere = [noTest, noSelf, noSqlite, noNoise, noCiphers]
const nodes = [...everywhere, noOps, noTimers]
const sharedKnows = [...nodes, noPrimary, noReplica]

const imports = (files: readonly string[], bans: readonly Ban[]): OxlintOverride => ({
  files: [...files],
  rules: { 'no-restricted-imports': ['error', { patterns: [...bans] }] },
})

const without = (bans: readonly Ban[], allowed: Ban): readonly Ban[] => bans.filter((ban) => ban !== allowed)

/** The rooms of shared/, from the ground up. A room imports rooms of its own floor and of those below. */
const FLOORS = {
  ground: ['*.ts', 'files'],
  tokens: ['macaroon', 'holder', 'verifier', 'discharge', 'minting'],
  storage: ['sqlite', 'ltx', 'database', 'archive'],
  wire: ['freshness', 'channel', 'protocol'],
  node: ['config', 'output', 'metrics', 'service'],
} as const

type Room = (typeof FLOORS)[keyof typeof FLOORS][number]

/** One room has each of these to itself, or works with the system's own threads or in programs of others. */
const EXEMPT: Partial<Record<Room, Ban>> = {
  sqlite: noSqlite,
  channel: noNoise,
  discharge: noTimers,
  archive: noTimers,
}

function roomsOfFloor(floor: keyof typeof FLOORS): readonly OxlintOverride[] {
  const floors = Object.values(FLOORS)
  const above = floors.slice(Object.keys(FLOORS).indexOf(floor) + 1).flat()
  const up: readonly Ban[] = above.map((room) => ({
    regex: `(^|/)\\.{1,2}/${room}/`,
    message: `The floor "${floor}" of shared/ does not know the floors above it.`,
  }))
  return FLOORS[floor].map((room) => {
    const exempt = EXEMPT[room]
    const bans = exempt === undefined ? sharedKnows : without(sharedKnows, exempt)
    return imports([room === '*.ts' ? 'shared/*.ts' : `shared/${room}/**`], [...bans, ...up])
  })
}

const config: OxlintConfig = defineConfig({
  plugins: ['eslint', 'typescript', 'unicorn', 'oxc', 'import', 'promise', 'node', 'vitest'],
  options: { typeAware: true, reportUnusedDisableDirectives: 'error' },
  ignorePatterns: ['dist/**', '**/node_modules', 'test/vectors/**', 'test/acceptance/package/consumer/**'],
  categories: { correctness: 'error' },
  rules: {
    eqeqeq: 'error',
    'no-console': 'error',
    'no-eval': 'error',
    'no-var': 'error',
    'no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' }],
    'prefer-const': 'error',
    'max-lines': ['error', { max: 400 }],
    'max-lines-per-function': ['error', { max: 60 }],
    // A type that ties a circle is a circle to its reader, too.
    'import/no-cycle': ['error', { ignoreTypes: false }],
    'import/no-default-export': 'error',
    'import/no-duplicates': 'error',
    'typescript/await-thenable': 'error',
    'typescript/ban-ts-comment': 'error',
    'typescript/consistent-type-imports': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/no-require-imports': 'error',
    'typescript/no-unnecessary-type-assertion': 'error',
    'typescript/only-throw-error': 'error',
    'typescript/prefer-promise-reject-errors': 'error',
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    'unicorn/prefer-node-protocol': 'error',
  },
  overrides: [
    imports(['ops/**'], everywhere),
    // Programs of a user of ours, with a database and passwords of their own.
    imports(['ops/examples/**'], [noTest, noSelf, noNoise]),
    // A story is told from its beginning to its end.
    { files: ['ops/examples/*/main.ts'], rules: { 'max-lines-per-function': 'off' } },
    imports(['primary/**'], [...nodes, noReplica]),
    imports(['replica/**'], [...nodes, noPrimary]),
    imports(['shared/**'], sharedKnows),
    ...(['ground', 'tokens', 'storage', 'wire', 'node'] as const).flatMap(roomsOfFloor),
    imports(['shared/crypto.ts'], without(sharedKnows, noCiphers)),
    imports(PORTABLE, [...sharedKnows, ...noNode]),
    imports(
      NODE_SIDE.map((name) => `shared/macaroon/${name}.ts`),
      sharedKnows,
    ),
    // The published package: it hands on what the rooms have.
    imports(['shared/library.ts'], sharedKnows),
    {
      // Time and entropy come in as parameters: only the clock reads them.
      files: ['ops/**', 'primary/**', 'replica/**', 'shared/**'],
      rules: {
        'no-restricted-properties': [
          'error',
          { object: 'Math', property: 'random', message: 'Take an Entropy (shared/clock.ts).' },
          { object: 'Date', property: 'now', message: 'Take a Clock (shared/clock.ts).' },
          { object: 'performance', property: 'now', message: 'Take a Clock (shared/clock.ts).' },
        ],
      },
    },
    {
      // A simulation runs days in seconds: what waits has to wait by the clock it was given.
      files: ['primary/**', 'replica/**', 'shared/**'],
      rules: {
        'no-restricted-globals': ['error', ...WAITING],
      },
    },
    {
      files: PORTABLE,
      rules: {
        'no-restricted-globals': [
          'error',
          ...['Buffer', 'process', 'global', 'setTimeout', 'setInterval', 'setImmediate'].map((name) => ({
            name,
            message: 'A browser loads this file, and macaroond/holder waits for nothing.',
          })),
        ],
      },
    },
    // They run on nodes only.
    {
      files: NODE_SIDE.map((name) => `shared/macaroon/${name}.ts`),
      rules: { 'no-restricted-globals': ['error', ...WAITING] },
    },
    {
      files: ['shared/clock.ts'],
      rules: { 'no-restricted-properties': 'off', 'no-restricted-globals': 'off' },
    },
    // Works on files and buckets with the system's own threads, which no simulation orders.
    {
      files: ['shared/archive/**'],
      rules: { 'no-restricted-globals': 'off' },
    },
    // The end of the process itself.
    { files: ['shared/service/run-service.ts'], rules: { 'no-restricted-globals': 'off' } },
    {
      files: ['test/**'],
      rules: {
        'max-lines': 'off',
        'max-lines-per-function': 'off',
        'import/no-cycle': 'error',
        'no-console': 'off',
        // A second argument of expect is the message of a failure; helpers named like this assert.
        'vitest/valid-expect': ['error', { maxArgs: 2 }],
        'vitest/expect-expect': ['error', { assertFunctionNames: ['expect*', 'assert*', 'fc.assert', 'ok', 'until'] }],
        // Properties and tables of vectors expect by case, and shared checks stand outside of a test's body.
        'vitest/no-conditional-expect': 'off',
        'vitest/no-standalone-expect': 'off',
        'vitest/no-focused-tests': 'error',
        'vitest/no-disabled-tests': 'error',
      },
    },
    { files: ['*.config.ts'], rules: { 'import/no-default-export': 'off' } },
  ],
})

export default config
