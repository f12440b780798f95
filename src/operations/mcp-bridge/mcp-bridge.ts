import { once } from 'node:events';
import { EnvironmentError, UsageError, cannotListen, isSystemError } from '../../core/errors.ts';
import { parseHeaderLines } from '../../core/fields.ts';
import { requireProgram } from '../../core/find-program.ts';
import { readInputFile } from '../../core/input-file.ts';
import type { OperationContext } from '../../core/operation.ts';
import { AuditLog } from '../../mcp/bridge/audit-log.ts';
import { startBridge } from '../../mcp/bridge/serve.ts';
import type { Bridge, BridgeOptions } from '../../mcp/bridge/serve.ts';
import { bridgeToStdio } from '../../mcp/bridge/to-stdio.ts';
import type { ToStdioStats } from '../../mcp/bridge/to-stdio.ts';
import { RefusedHandshake } from '../../mcp/open-link.ts';
import type { McpBridgeInput, McpBridgeReport } from './schema.ts';

/**
 * Bridges MCP between WebSocket and standard input and output, until interrupted.
 *
 * Throws `UsageError` for a command that does not exist, and `EnvironmentError` when the port cannot
 * be had or the first connection to a server fails.
 */
export async function mcpBridge(
  input: McpBridgeInput,
  context: OperationContext,
): Promise<McpBridgeReport> {
  const began = context.now();
  const log = new AuditLog((text) => void process.stderr.write(text), input.logLevel);
  const tokens =
    input.tokenFile === undefined ? [] : await readTokens(input.tokenFile, context.cwd);
  const ended = await (input.stdio === undefined
    ? connect(input, tokens, log, context)
    : serve(input, input.stdio, tokens, log, context));
  const { failure } = ended;
  return {
    operation: 'mcp-bridge',
    status: failure === undefined ? 'passed' : 'failed',
    success: failure === undefined,
    ...ended,
    durationMs: context.now() - began,
  };
}

type Ended = Pick<
  McpBridgeReport,
  'direction' | 'url' | 'sessions' | 'resumed' | 'refused' | 'failure'
>;

async function serve(
  input: McpBridgeInput,
  command: string,
  tokens: readonly string[],
  log: AuditLog,
  { signal, cwd }: OperationContext,
): Promise<Ended> {
  requireProgram('--stdio', command, cwd);
  const { host = '127.0.0.1', port = 8000, messagePath: path = '/message' } = input;
  const bridge = await listen({
    ...{ command, host, port, path, tokens, log },
    shared: input.shared ?? false,
    healthPaths: input.healthEndpoints ?? ['/healthz'],
    origins: [...(input.allowOrigins ?? []), ...(input.cors === true ? ['*'] : [])],
    maxClients: input.maxClients ?? 100,
    maxMessage: input.maxMessage,
    graceMs: input.sessionGrace ?? 30_000,
    restart: input.restart ?? 5,
  });
  const url = `ws://${host.includes(':') ? `[${host}]` : host}:${bridge.port}${path}`;
  log.info('listening', { url, port: bridge.port, shared: input.shared ?? false });
  if (tokens.length === 0 && !/^(127\.|localhost$|::1$)/.test(host)) {
    log.info('warning', { reason: 'anyone who reaches this address can use it: --token-file' });
  }
  if (!signal.aborted) await once(signal, 'abort');
  await bridge.stop();
  return { direction: 'stdio', url, ...bridge.stats };
}

async function listen(options: BridgeOptions): Promise<Bridge> {
  try {
    return await startBridge(options);
  } catch (cause) {
    if (!isSystemError(cause)) throw cause;
    throw cannotListen(options.host, options.port, cause);
  }
}

async function connect(
  input: McpBridgeInput,
  [token]: readonly string[],
  log: AuditLog,
  { signal }: OperationContext,
): Promise<Ended> {
  const url = input.url ?? '';
  const stats = await bridgeToStdio({
    ...{ url, log, signal, stdin: process.stdin, stdout: process.stdout },
    transport: {
      headers: Object.fromEntries(parseHeaderLines(input.headers)),
      ...(token !== undefined && { auth: { token } }),
      maxMessage: input.maxMessage,
    },
  }).catch((error: unknown): ToStdioStats => {
    throw connectError(url, error);
  });
  const { reconnected, failure } = stats;
  return {
    ...{ direction: 'url', url, sessions: 1, resumed: reconnected, refused: 0 },
    ...(failure !== undefined && { failure }),
  };
}

function connectError(url: string, cause: unknown): unknown {
  if (cause instanceof RefusedHandshake) {
    return new EnvironmentError('WSK_ERR_HTTP_STATUS', cause.message, { cause });
  }
  if (!isSystemError(cause)) {
    const message = cause instanceof Error ? cause.message : String(cause);
    return new EnvironmentError('WSK_ERR_CONNECTION_LOST', `${url}: ${message}`, { cause });
  }
  const code = cause.code === 'ENOTFOUND' ? 'WSK_ERR_DNS' : 'WSK_ERR_REFUSED';
  return new EnvironmentError(code, `${url} cannot be reached (${cause.code ?? ''})`, { cause });
}

/** One token per line; lines that begin with # are comments. */
async function readTokens(file: string, cwd: string): Promise<string[]> {
  const text = (await readInputFile(file, { cwd, flag: '--token-file' })).toString('utf8');
  const lines = text.split('\n').map((line) => line.trim());
  const tokens = lines.filter((line) => line !== '' && !line.startsWith('#'));
  const bad = tokens.findIndex((token) => /\s/.test(token));
  if (tokens.length > 0 && bad < 0) return tokens;
  const what = bad < 0 ? 'holds no token' : `holds a token with a space, number ${bad + 1}`;
  throw new UsageError('WSK_ERR_INVALID_INPUT', `--token-file ${JSON.stringify(file)} ${what}`);
}
