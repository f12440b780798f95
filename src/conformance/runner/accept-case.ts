import { createRejection, createResponse, fieldValue, fieldValues } from '../../protocol/index.ts';
import type { RequestHead } from '../../protocol/index.ts';
import type { Wire } from '../../transport/index.ts';
import { VERSION } from '../../core/version.ts';
import type { DeflateCache } from '../autobahn/corpus/deflate-cache.ts';
import { answerOffers, wishesOf } from '../autobahn/negotiate.ts';
import { PEER_DROPPED } from '../autobahn/close-state.ts';
import type { PeerRequest } from '../observation.ts';
import type { CaseResult } from '../result.ts';
import { drive } from './socket-driver.ts';
import { openCase } from './open-case.ts';
import { toResult } from './case-result.ts';
import type { CaseTask } from '../case.ts';

/** What is wrong with a request for a WebSocket, as Autobahn judges it; undefined: nothing. */
export function requestProblem(head: RequestHead): string | undefined {
  if (head.method !== 'GET') return `method ${head.method} is not GET`;
  if (head.version !== 'HTTP/1.1') return `version ${head.version} is not HTTP/1.1`;
  if (fieldValues(head, 'host').length !== 1) return 'there is not exactly one Host header';
  if (!hasToken(head, 'upgrade', 'websocket')) return 'Upgrade does not hold websocket';
  if (!hasToken(head, 'connection', 'upgrade')) return 'Connection does not hold Upgrade';
  if (!/^(?:8|13)$/.test(fieldValue(head, 'sec-websocket-version') ?? '')) {
    return 'Sec-WebSocket-Version is not 13';
  }
  if (!/^.{22}==$/.test(fieldValue(head, 'sec-websocket-key') ?? '')) {
    return 'Sec-WebSocket-Key is not 24 characters that end with ==';
  }
  return fieldValues(head, 'sec-websocket-extensions').length > 1
    ? 'Sec-WebSocket-Extensions appears more than once'
    : undefined;
}

function hasToken(head: RequestHead, name: string, token: string): boolean {
  const options = (fieldValue(head, name) ?? '').toLowerCase().split(',');
  return options.some((option) => option.trim() === token);
}

export interface AcceptOptions {
  readonly agent: string;
  readonly cache: DeflateCache;
}

/** Runs one case with a client that asked for it; the request was found in order. */
export async function acceptCase(
  wire: Wire,
  request: PeerRequest,
  task: CaseTask,
  { agent, cache }: AcceptOptions,
): Promise<CaseResult> {
  const startedAt = new Date();
  const began = performance.now();
  const answer = answerOffers(request.head, wishesOf(task.definition));
  const common = { task, agent, role: 'server', startedAt, httpRequest: request.text } as const;
  if (!answer.ok) {
    wire.socket.end(createRejection({ status: 400, body: answer.reason }));
    return toResult({
      ...common,
      durationMs: performance.now() - began,
      httpResponse: null,
      connection: undefined,
      neverOpen: { droppedByMe: true, wasNotCleanReason: answer.reason },
    });
  }
  const response = createResponse({
    request: request.head,
    extensions: answer.extensions,
    headers: [['Server', `websocket-skill/${VERSION}`]],
  });
  const preopen = { sent: response.length, received: request.text.length };
  const { deflate } = answer;
  const connection = openCase(task, { role: 'server', deflate, cache, preopen });
  wire.socket.write(response);
  const opened = performance.now();
  await drive(wire, connection);
  return toResult({
    ...common,
    durationMs: performance.now() - opened,
    httpResponse: response.toString('latin1'),
    connection,
    neverOpen: { wasNotCleanReason: PEER_DROPPED },
  });
}
