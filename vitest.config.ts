import { availableParallelism } from 'node:os'
import { defineConfig, type ViteUserConfig } from 'vitest/config'
import { mutantPlugins } from './test/chaos/mutants/vite-plugin.ts'

/** `unit` needs nothing but this process; `integration` starts processes and sockets; the longer suites have scripts of their own. */
const project = (name: string, timeoutMs: number, ...include: readonly string[]) => ({
  test: {
    name,
    include: include.length > 0 ? [...include] : [`test/${name}/**/*.test.ts`],
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
  },
})

/** They advance faked timers by months: a timer that another test of the same worker left would run millions of times. */
const OF_FAKED_TIMERS = ['test/shared/service/schedule.test.ts']

const config: ViteUserConfig = defineConfig({
  test: {
    pool: 'forks',
    // Most of the long tests wait for processes and timers of their own: a worker a core would leave the cores idle.
    maxWorkers: Math.max(3, availableParallelism()),
    // `npm run coverage` joins it with what the simulator reaches.
    coverage: { provider: 'v8', reporter: 'json' },
    projects: [
      {
        plugins: mutantPlugins(),
        test: {
          name: 'unit',
          // Modules are loaded once a worker, which is a fifth of the time: no test here may leave anything behind in one.
          isolate: false,
          include: ['test/{shared,primary,replica,ops,history,simulator,bench,evidence}/**/*.test.ts'],
          exclude: [...OF_FAKED_TIMERS],
          testTimeout: 20_000,
        },
      },
      project('integration', 60_000, 'test/integration/**/*.test.ts', ...OF_FAKED_TIMERS),
      // What a user gets: the pages, the terminal, the installed package, and the stories that run.
      project('acceptance', 60_000),
      // Crashes, archive, restore and runbook: whole disasters, with the processes that they need.
      project('recovery', 60_000),
      project('chaos', 900_000, 'test/chaos/{*,mutants/*}.test.ts'),
      // One after the other: how long a lease still runs says nothing where other runs take the time from it.
      project('partition', 900_000, 'test/chaos/partition/*.test.ts'),
      // So it is with leases here, and what surrounds the cluster takes a good part of the machine.
      project('rims', 3_600_000, 'test/chaos/rims/*.test.ts'),
      // Against other implementations: Debian's libmacaroons-dev, python3-pymacaroons, nginx-light and chromium, npm's macaroon, and Go.
      project('interop', 300_000),
      // From earlier versions, as they are kept beside the tests.
      project('upgrade', 180_000),
      project('fuzz', 3_600_000),
    ],
  },
})

export default config
