import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'packages/*/src/**/*.test.ts',
            'apps/{worker,registry,cli,web}/src/**/*.test.ts',
            'infra/**/*.test.ts',
            'tests/permissions/**/*.test.ts',
          ],
          environment: 'node',
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        // Real clients (skopeo, …) against the parts they talk to.
        test: {
          name: 'clients',
          include: ['tests/clients/**/*.test.ts'],
          environment: 'node',
          testTimeout: 180_000,
          hookTimeout: 900_000,
        },
      },
      {
        // Official suites against the parts that they are for.
        test: {
          name: 'conformance',
          include: ['tests/conformance/**/*.test.ts'],
          environment: 'node',
          testTimeout: 300_000,
          hookTimeout: 900_000,
        },
      },
      {
        // Whole installations with containers: run with --no-file-parallelism (infra/test does).
        test: {
          name: 'e2e',
          include: ['tests/e2e/**/*.test.ts'],
          environment: 'node',
          testTimeout: 180_000,
          hookTimeout: 900_000,
        },
      },
    ],
  },
})
