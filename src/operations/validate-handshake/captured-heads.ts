import { UsageError } from '../../core/errors.ts';
import { readInputFile } from '../../core/input-file.ts';
import type { OperationContext } from '../../core/operation.ts';
import { HeadDecoder, checkRequest, checkResponse } from '../../protocol/index.ts';
import type { RequestHead, ResponseHead, RuleResult } from '../../protocol/index.ts';
import { toRow } from './probe-server.ts';
import type { RuleRow, ValidateHandshakeInput } from './schema.ts';

/**
 * Judges heads that were captured to files. A response is held against the request if both are
 * given; otherwise the rules that need the request are skipped, or judged by `key` alone.
 */
export async function checkCaptured(
  input: ValidateHandshakeInput,
  context: OperationContext,
): Promise<RuleRow[]> {
  const request =
    input.request === undefined ? undefined : await readHeadFile(input.request, 'request', context);
  const response =
    input.response === undefined
      ? undefined
      : await readHeadFile(input.response, 'response', context);
  return [
    ...(request === undefined ? [] : checkRequest(request)),
    ...(response === undefined ? [] : checkResponseBy(response, request, input.key)),
  ].map(toRow);
}

function checkResponseBy(
  response: ResponseHead,
  request: RequestHead | undefined,
  key: string | undefined,
): RuleResult[] {
  const rules = checkResponse(response, request);
  if (request !== undefined || key === undefined) return rules;
  // Only the accept value can be judged by the key alone: what was offered stays unknown.
  const byKey = checkResponse(response, requestWithKey(key));
  return rules.map((rule, index) => (rule.id === ACCEPT_RULE ? (byKey[index] ?? rule) : rule));
}

const ACCEPT_RULE = 'response-accept';

function requestWithKey(key: string): RequestHead {
  const fields = [{ name: 'Sec-WebSocket-Key', value: key }];
  return { kind: 'request', method: 'GET', target: '/', version: 'HTTP/1.1', fields, flaws: [] };
}

interface HeadOf {
  readonly request: RequestHead;
  readonly response: ResponseHead;
}

async function readHeadFile<Kind extends keyof HeadOf>(
  path: string,
  kind: Kind,
  context: OperationContext,
): Promise<HeadOf[Kind]> {
  const decoder = new HeadDecoder<Kind>(kind);
  decoder.receive(completed(await readInputFile(path, { cwd: context.cwd, flag: `--${kind}` })));
  const head = decoder.head();
  if (head !== undefined) return head;
  const why = decoder.violation?.message ?? 'it ends before the head does';
  throw new UsageError('WSK_ERR_INVALID_INPUT', `${path} holds no head of a ${kind}: ${why}`, {
    hint: `expected the first lines of an HTTP ${kind}, up to the empty line`,
  });
}

/** Editors and copied text tend to lose the empty line at the end, and the CR of every line. */
function completed(bytes: Buffer): Buffer {
  const saved = bytes.toString('latin1');
  const text = saved.includes('\r\n') ? saved : saved.replaceAll('\n', '\r\n');
  const whole = /\r?\n\r?\n/.test(text) ? text : text.replace(/(\r?\n)?$/, '\r\n\r\n');
  return Buffer.from(whole, 'latin1');
}
