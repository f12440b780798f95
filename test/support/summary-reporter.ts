import type { Reporter, TestModule } from 'vitest/node';

/**
 * Closes the run with one line that every CI can read: `N passed, N failed[, N skipped]`.
 *
 * With CI=true a skipped test fails the run: a missing part must not look like a pass there.
 */
export class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const states = modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => test.result().state),
    );
    const count = (state: string): number => states.filter((each) => each === state).length;
    // A file that cannot be loaded holds no tests, and an error may fall outside all of them.
    const broken = modules.filter((module) => module.errors().length > 0).length + errors.length;
    const failed = count('failed') + broken;
    const skipped = count('skipped');
    if (skipped > 0 && process.env['CI'] === 'true') process.exitCode = 1;
    process.once('exit', () => {
      const tail = skipped === 0 ? '' : `, ${skipped} skipped`;
      process.stdout.write(`${count('passed')} passed, ${failed} failed${tail}\n`);
    });
  }
}
