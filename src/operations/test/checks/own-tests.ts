import type { OwnTests } from '../../../target/project/index.ts';
import { fail, pass, skip } from '../check.ts';
import type { Check, Outcome } from '../check.ts';

/** The tests that a generated project brings along, and those that were added to it. */
export const ownTests: Check = {
  id: 'own-tests',
  rfc: '',
  title: "the project's own tests",
  async run({ session }) {
    const { project, input } = session;
    if (project === undefined) return skip('only a --project has tests of its own');
    if (!input.ownTests) return skip('--own-tests runs them');
    return judgeOwnTests(await project.runTests());
  },
};

/** Judges how the tests of a project ended; null: it has none. */
export function judgeOwnTests(tests: OwnTests | null): Outcome {
  if (tests === null) return skip('the project has no tests of its own');
  const { command, exitCode } = tests;
  if (exitCode === 0) return pass(`\`${command}\` passed`);
  const how = exitCode === undefined ? 'did not end in time' : `ended with exit code ${exitCode}`;
  return fail(`\`${command}\` ${how}: ${failuresOf(tests).join('; ')}`);
}

/** Failed tests that a row names. */
const NAMED = 5;

/** The names of failed tests as node:test prints them; for other output, its last lines. */
function failuresOf({ lines }: OwnTests): readonly string[] {
  const names = lines.flatMap((line) => {
    const [, name] = /^\s*(?:not ok \d+ - |✖ )(.+)$/.exec(line) ?? [];
    return name === undefined ? [] : [name.replace(/ \([\d.]+ms\)$/, '')];
  });
  const failed = [...new Set(names)].filter((name) => !/^failing tests:$/.test(name));
  return failed.length > 0 ? failed.slice(0, NAMED) : lines.slice(-3);
}
