import type { Socket } from 'node:net';
import {
  HeadDecoder,
  createRejection,
  createResponse,
  fieldValue,
  fieldValues,
} from '../../protocol/index.ts';
import type { RequestHead } from '../../protocol/index.ts';
import { VERSION } from '../../core/version.ts';
import type { DeflateCache } from '../autobahn/corpus/deflate-cache.ts';
import { answerOffers, wishesOf } from '../autobahn/negotiate.ts';
import { PEER_DROPPED } from '../autobahn/close-state.ts';
import type { CaseResult } from '../result.ts';
import { drive } from './socket-driver.ts';
import { openCase } from './open-case.ts';
import { toResult } from './case-result.ts';
import type { CaseTask } from '../case.ts';

/** Milliseconds a client has for its request. */
const OPEN_TIMEOUT_MS = 5000;

/** A client's request and what came with it. */
export interface Request {
  readonly head: RequestHead;
  readonly text: string;
  readonly rest: Buffer;
}

/** Reads the request of a client; undefined if it sends none in time, or something else. */
export function readRequest(socket: Socket): Promise<Request | undefined> {
  const decoder = new HeadDecoder('request');
  let text = '';
  return new Promise((resolve) => {
    const settle = (request: Request | undefined): void => {
      clearTimeout(timer);
      socket.off('data', onData).off('end', onEnd).off('close', onEnd);
      socket.pause();
      resolve(request);
    };
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      decoder.receive(chunk);
      const head = decoder.head();
      if (decoder.violation !== undefined) settle(undefined);
      if (head === undefined) return;
      const rest = decoder.rest();
      settle({ head, text: text.slice(0, text.length - rest.length), rest });
    };
    const onEnd = (): void => {
      settle(undefined);
    };
    const timer = setTimeout(onEnd, OPEN_TIMEOUT_MS);
    socket.on('data', onData).once('end', onEnd).once('close', onEnd);
  });
}

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
  socket: Socket,
  request: Request,
  task: CaseTask,
  { agent, cache }: AcceptOptions,
): Promise<CaseResult> {
  const startedAt = new Date();
  const began = performance.now();
  const answer = answerOffers(request.head, wishesOf(task.definition));
  const common = { task, agent, role: 'server', startedAt, httpRequest: request.text } as const;
  if (!answer.ok) {
    socket.end(createRejection({ status: 400, body: answer.reason }));
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
  socket.write(response);
  const opened = performance.now();
  await drive(socket, connection, request.rest);
  return toResult({
    ...common,
    durationMs: performance.now() - opened,
    httpResponse: response.toString('latin1'),
    connection,
    neverOpen: { wasNotCleanReason: PEER_DROPPED },
  });
}
