import type { OperationContext } from '../../core/operation.ts';
import { checkCaptured } from './captured-heads.ts';
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
    return createReport(target, rules, false);
  }
  const rules: RuleRow[] = [];
  try {
    await using endpoint = await openTarget(input, context);
    await probeServer({ url: endpoint.url, input, context, report: (rows) => rules.push(...rows) });
  } catch (error) {
    if (!context.signal.aborted) throw error;
  }
  return createReport(input.url ?? input.project ?? '', rules, context.signal.aborted);
}

function createReport(
  target: string,
  rules: RuleRow[],
  interrupted: boolean,
): ValidateHandshakeReport {
  const count = (verdict: RuleRow['verdict']): number =>
    rules.filter((rule) => rule.verdict === verdict).length;
  const failed = count('fail');
  const success = !interrupted && failed === 0;
  return {
    operation: 'validate-handshake',
    target,
    status: interrupted ? 'interrupted' : success ? 'passed' : 'failed',
    rules,
    summary: { passed: count('pass'), failed, skipped: count('skip') },
    success,
  };
}
