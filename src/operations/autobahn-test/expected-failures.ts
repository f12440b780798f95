import * as z from 'zod';
import { readInputFile } from '../../core/input-file.ts';
import type { AgentResults, ExpectedFailure, FailOn } from '../../conformance/result.ts';
import { LocatedDocument } from '../../core/located-document.ts';
import { isFailure, verdictOf } from '../../conformance/verdict.ts';

const Text = z.string('expected text').min(1, 'expected text');
const Row = z.strictObject(
  { case: Text, agent: Text.optional(), reason: Text },
  'expected a row such as { case: "6.4.1", reason: why it fails, agent: name of the client }',
);
const Rows = z.array(Row, 'expected a list of rows, each begun by "- case:"');

/** A case that is known to fail, and why. */
export type ExpectedRow = z.output<typeof Row>;

/**
 * Reads the file of expected failures: a list of `{ case, agent?, reason }`.
 *
 * Throws UsageError WSK_ERR_FILE_NOT_READABLE or, with the lines, WSK_ERR_INVALID_INPUT.
 */
export async function readExpectedFailures(file: string, cwd: string): Promise<ExpectedRow[]> {
  const text = (await readInputFile(file, { cwd, flag: '--expected-failures' })).toString();
  // Failsafe: everything is text, or 2.10 would be the number 2.1.
  const document = new LocatedDocument(text, file, { schema: 'failsafe' });
  const rows = document.read(Rows, document.value ?? [], []);
  document.throwIfFaulty();
  return rows ?? [];
}

/** Says of each row whether the case still fails. */
export function weighExpectations(
  rows: readonly ExpectedRow[],
  agents: readonly AgentResults[],
  failOn: FailOn,
): ExpectedFailure[] {
  return rows.map((row) => {
    const results = agents
      .filter(({ agent }) => row.agent === undefined || row.agent === agent)
      .flatMap(({ cases }) => cases.filter(({ id }) => id === row.case));
    const failing = results.filter((result) => isFailure(verdictOf(result), failOn));
    const outcome =
      results.length === 0 ? 'unused' : failing.length === 0 ? 'stale' : 'failed as expected';
    return { ...row, outcome };
  });
}
