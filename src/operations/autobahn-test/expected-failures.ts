import * as z from 'zod';
import { UsageError } from '../../core/errors.ts';
import { readInputFile } from '../../core/input-file.ts';
import type { AgentResults, ExpectedFailure, FailOn } from '../../conformance/result.ts';
import { parseYaml, valuesOf } from '../../core/yaml.ts';
import { isFailure, verdictOf } from '../../conformance/verdict.ts';

const Row = z.strictObject({
  case: z.string().min(1),
  agent: z.string().min(1).optional(),
  reason: z.string().min(1),
});

/** A case that is known to fail, and why. */
export type ExpectedRow = z.output<typeof Row>;

/**
 * Reads the file of expected failures: a list of `{ case, agent?, reason }`.
 *
 * Throws UsageError WSK_ERR_FILE_NOT_READABLE or WSK_ERR_INVALID_INPUT.
 */
export async function readExpectedFailures(file: string, cwd: string): Promise<ExpectedRow[]> {
  const text = (await readInputFile(file, { cwd, flag: '--expected-failures' })).toString();
  try {
    return z.array(Row).parse(readYaml(text) ?? []);
  } catch (cause) {
    const [issue] = cause instanceof z.ZodError ? cause.issues : [];
    const where = issue === undefined ? String(cause) : `${issue.path.join('.')}: ${issue.message}`;
    throw new UsageError('WSK_ERR_INVALID_INPUT', `${file} holds no expected failures (${where})`, {
      cause,
      hint: 'write rows like `- case: "6.4.1"` with a `reason` and, if need be, an `agent`',
    });
  }
}

/** Throws for what is no YAML. */
function readYaml(text: string): unknown {
  // Failsafe: everything is text, or 2.10 would be the number 2.1.
  const document = parseYaml(text, { schema: 'failsafe' });
  const [fault] = document.errors;
  if (fault !== undefined) throw fault;
  return valuesOf(document);
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
