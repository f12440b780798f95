import { resolve } from 'node:path';
import { countGrades, graded } from '../../core/grade.ts';
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
  given: ValidateHandshakeInput,
  context: OperationContext,
): Promise<ValidateHandshakeReport> {
  const { input, env } = await withToken(given, context.cwd);
  if (input.request !== undefined || input.response !== undefined) {
    const rules = await checkCaptured(input, context);
    const target = [input.request, input.response].filter((path) => path !== undefined).join(', ');
    return createReport(input, target, { rules, limited: 0, interrupted: false });
  }
  const rules: RuleRow[] = [];
  let limited = 0;
  try {
    await using endpoint = await openTarget(input, context, { env });
    const report = (rows: readonly RuleRow[]): void => void rules.push(...rows);
    limited = await probeServer({ url: endpoint.url, input, context, report });
  } catch (error) {
    if (!context.signal.aborted) throw error;
  }
  return createReport(input, input.url ?? input.project ?? '', {
    rules,
    limited,
    interrupted: context.signal.aborted,
  });
}

/** A generated MCP server that wants a token takes no handshake without one: it gets one of this run. */
async function withToken(
  input: ValidateHandshakeInput,
  cwd: string,
): Promise<{
  readonly input: ValidateHandshakeInput;
  readonly env: Readonly<Record<string, string>>;
}> {
  const { project, headers } = input;
  const isGiven = headers.some((line) => /^authorization\s*:/i.test(line));
  if (project === undefined || isGiven) return { input, env: {} };
  const { readProject } = await import('../../target/project/index.ts');
  const { type, answers } = (await readProject(resolve(cwd, project))).manifest;
  const { features } = answers;
  if (type !== 'mcp' || !Array.isArray(features) || !features.includes('auth')) {
    return { input, env: {} };
  }
  const { newSecrets, userToken } = await import('../../contract/index.ts');
  const { secrets, settings } = newSecrets();
  const { auth = '', audience } = secrets;
  const token = userToken('wsk', auth, { audience, seconds: TOKEN_SECONDS });
  return {
    input: { ...input, headers: [...headers, `Authorization: Bearer ${token}`] },
    env: settings,
  };
}

/** Longer than any check of a handshake. */
const TOKEN_SECONDS = 3600;

interface Judged {
  readonly rules: readonly RuleRow[];
  /** Rows that were skipped because the server limits connections. */
  readonly limited: number;
  readonly interrupted: boolean;
}

function createReport(
  input: ValidateHandshakeInput,
  target: string,
  { rules: rows, limited, interrupted }: Judged,
): ValidateHandshakeReport {
  const rules = rows.map((row) => graded(row, input.strict));
  const summary = countGrades(rules);
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
