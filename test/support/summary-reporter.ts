import type { Reporter, TestModule } from 'vitest/node';

/**
 * Closes the run with one line that every CI can read: `N passed, N failed[, N skipped]`.
 *
 * With CI=true a skipped test fails the run: a missing part must not look like a pass there. Tests that passed at
 * their second attempt only are named.
 */
export class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const having = (state: string): typeof tests =>
      tests.filter((test) => test.result().state === state);
    const count = (state: string): number => having(state).length;
    // A file that cannot be loaded holds no tests, and an error may fall outside all of them.
    const broken = modules.filter((module) => module.errors().length > 0).length + errors.length;
    const failed = count('failed') + broken;
    const skipped = count('skipped');
    const refused = process.env['CI'] === 'true' ? having('skipped') : [];
    if (refused.length > 0) process.exitCode = 1;
    const again = tests.filter((test) => test.diagnostic()?.flaky === true);
    process.once('exit', () => {
      const name = (why: string, some: typeof tests): void => {
        for (const { module, fullName } of some) {
          process.stdout.write(`${why}: ${module.relativeModuleId} > ${fullName}\n`);
        }
      };
      name('skipped, which fails with CI=true', refused);
      name('passed at the second attempt only', again);
      const tail = skipped === 0 ? '' : `, ${skipped} skipped`;
      process.stdout.write(`${count('passed')} passed, ${failed} failed${tail}\n`);
    });
  }
}
