import { defineConfig } from 'vitest/config';
import { SlowFirst } from './test/support/slow-first.ts';
import { SummaryReporter } from './test/support/summary-reporter.ts';

export default defineConfig(({ mode }) => ({
  test: {
    reporters: ['default', new SummaryReporter()],
    setupFiles: ['test/setup.ts'],
    // `npm run test:all` is `vitest run --mode all`; the variable alone does the same.
    env: mode === 'all' ? { WSK_TEST_ALL: '1' } : {},
    pool: 'forks',
    // Twice the cores of CI: most test files wait for other processes and for time limits. With three times,
    // what peers do within a time limit came too late for them in 3 of 5,085 tests.
    maxWorkers: 4,
    sequence: { sequencer: SlowFirst },
    testTimeout: 120_000,
    // In CI one of 5,000 tests may meet a busy machine; the summary names each that needed its second attempt.
    retry: process.env['CI'] === 'true' ? 1 : 0,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/**/*.test.ts'],
          exclude: ['test/{unit,package}/**'],
        },
      },
      {
        extends: true,
        // One process takes many files: to import src anew for each costs more than their tests.
        test: { name: 'unit', include: ['test/{unit,package}/**/*.test.ts'], isolate: false },
      },
    ],
  },
}));
