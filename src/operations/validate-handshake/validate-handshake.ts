import { countGrades, graded } from '../../core/grade.ts';
import type { OperationContext } from '../../core/operation.ts';
import { checkCaptured } from './captured-heads.ts';
import { LIMITED } from './schema.ts';
import type { RuleRow, ValidateHandshakeInput, ValidateHandshakeReport } from './schema.ts';
import { probeServer } from './probe-server.ts';
import { openTarget } from '../../target/target.ts';

/**
 * Holds a server, or captured heads, against every rule of the opening handshake.
 *
 * Throws `EnvironmentError` when there is no WebSocket at the url, `UsageError` for a file that
 * cannot be read or holds no head.
 */
export async function validateHandshake(
  input: ValidateHandshakeInput,
  context: OperationContext,
): Promise<ValidateHandshakeReport> {
  if (input.request !== undefined || input.response !== undefined) {
    const rules = await checkCaptured(input, context);
    const target = [input.request, input.response].filter((path) => path !== undefined).join(', ');
    return createReport(input, target, { rules, interrupted: false });
  }
  const rules: RuleRow[] = [];
  try {
    await using endpoint = await openTarget(input, context);
    await probeServer({ url: endpoint.url, input, context, report: (rows) => rules.push(...rows) });
  } catch (error) {
    if (!context.signal.aborted) throw error;
  }
  return createReport(input, input.url ?? input.project ?? '', {
    rules,
    interrupted: context.signal.aborted,
  });
}

function createReport(
  input: ValidateHandshakeInput,
  target: string,
  { rules: rows, interrupted }: { rules: readonly RuleRow[]; interrupted: boolean },
): ValidateHandshakeReport {
  const rules = rows.map((row) => graded(row, input.strict));
  const summary = countGrades(rules);
  const limited = rules.filter(({ seen }) => seen.startsWith(LIMITED)).length;
  // A run that a limit of connections has kept from most probes proves nothing.
  const untested = limited > rules.filter(({ verdict }) => verdict !== 'skip').length;
  const success = !interrupted && summary.failed === 0 && !untested;
  return {
    operation: 'validate-handshake',
    target,
    status: interrupted ? 'interrupted' : success ? 'passed' : 'failed',
    rules,
    summary,
    success,
  };
}
