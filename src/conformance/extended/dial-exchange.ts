import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DEFLATE_EXTENSION,
  acceptKey,
  createKey,
  createRequest,
  fieldValue,
  formatExtensions,
  parseExtensions,
  toExtension,
  verifyResponse,
  violation,
} from '../../protocol/index.ts';
import type {
  HeaderList,
  NegotiatedDeflate,
  ResponseHead,
  Violation,
} from '../../protocol/index.ts';
import { EnvironmentError } from '../../core/errors.ts';
import { openSocket, quoteBytes, readHead } from '../../transport/index.ts';
import type { HeadResult, NoHead, OpenSocketOptions, TlsOptions } from '../../transport/index.ts';
import { VERSION } from '../../core/version.ts';
import { CaseLog } from '../wire/frame-log.ts';
import type { CaseResult } from '../result.ts';
import type { CaseTask } from '../case.ts';
import { Guard } from './session.ts';
import { asRequest, editHead, encodeHead } from '../handshake/head-draft.ts';
import type { HeadDraft } from '../handshake/head-draft.ts';
import type { Observation, OpeningResult } from '../observation.ts';
import { NOT_RUN, greet, runScript } from './run-script.ts';
import type { ExchangeScript } from '../script.ts';
import { sendHead } from '../handshake/send-head.ts';
import { Session } from './session.ts';
import { toExchangeResult } from './result.ts';

/** How to reach the server under test. */
export interface ExchangeTarget {
  readonly url: URL;
  readonly headers: HeaderList;
  readonly protocols: readonly string[];
  readonly tls: TlsOptions;
  /** The name in the report; undefined: what the server calls itself. */
  readonly agent: string | undefined;
  readonly signal: AbortSignal;
}

/** Milliseconds for TCP and TLS. */
const OPEN_TIMEOUT_MS = 5000;

/** What one exchange with a server came to, before a verdict. */
export interface ObservedExchange {
  readonly seen: Observation;
  /** What the server calls itself. */
  readonly server: string | undefined;
  readonly request: string;
  readonly response: string;
  readonly log: CaseLog;
  readonly sentClose: number | null | undefined;
}

/**
 * Runs one script against a server, on a connection of its own.
 *
 * Throws `EnvironmentError` if there is no TCP (or TLS) connection, and the signal's reason when it
 * is aborted; everything behind that is an observation. A response whose first violation has the code
 * `knownBreach` passes for one in order.
 */
export async function observeServer(
  script: ExchangeScript,
  target: Omit<ExchangeTarget, 'agent'>,
  knownBreach?: string,
): Promise<ObservedExchange> {
  const { signal } = target;
  await using wire = await openSocket(target.url, socketOptions(target));
  using guard = new Guard(wire, script.waitMs);
  const log = new CaseLog();
  const session = new Session({ script, wire, role: 'client', log });
  const request = draftRequest(script, target);
  await sendHead(request, { opening: script.opening, wire, conn: session.conn });
  const answer = await readHead(wire, 'response', script.waitMs);
  signal.throwIfAborted();
  const opened = readOpening(answer, request, knownBreach);
  const goesOn = script.ending !== 'opening' && isInOrder(opened.opening);
  const lacking = goesOn ? session.compress(opened.deflate) : undefined;
  const outcome =
    goesOn && lacking === undefined
      ? await runScript({ script, conn: session.conn, wire, role: 'client' })
      : NOT_RUN;
  wire.destroy();
  const served = script.thenServes ? await isServed(script, target) : undefined;
  signal.throwIfAborted();
  return {
    seen: { opening: opened.opening, ...outcome, served, lacking, guard: guard.reason },
    server: opened.server,
    request: clipText(encodeHead(request).toString('latin1')),
    response: answer.received.toString('latin1', 0, KEPT_BYTES),
    log,
    sentClose: session.conn.sentClose,
  };
}

/** Runs one extended case against a server; throws as `observeServer` does. */
export async function dialExchange(
  task: CaseTask,
  script: ExchangeScript,
  target: ExchangeTarget,
): Promise<CaseResult> {
  const startedAt = new Date();
  const began = performance.now();
  const observed = await observeServer(script, target);
  return toExchangeResult({
    ...observed,
    task,
    script,
    agent: target.agent ?? observed.server ?? 'UnknownServer',
    startedAt,
    durationMs: performance.now() - began,
    httpRequest: observed.request,
    httpResponse: observed.response === '' ? null : observed.response,
  });
}

/** Bytes of an answer that are kept for the report. */
const KEPT_BYTES = 16 * 1024;

/** Most of a request that a report shows. */
const SHOWN_CHARACTERS = 4096;

function clipText(text: string): string {
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}...` : text;
}

function socketOptions({ tls, signal }: Omit<ExchangeTarget, 'agent'>): OpenSocketOptions {
  return { tls, timeoutMs: OPEN_TIMEOUT_MS, signal };
}

function draftRequest(
  { opening }: ExchangeScript,
  target: Omit<ExchangeTarget, 'agent'>,
): HeadDraft {
  const key = createKey(randomBytes(16));
  const { deflate } = opening;
  const { head } = createRequest({
    url: target.url,
    key,
    protocols: target.protocols,
    extensions: deflate === undefined ? '' : formatExtensions([toExtension(deflate.offer)]),
    headers: [['User-Agent', `websocket-skill/${VERSION}`], ...target.headers],
  });
  const draft = { start: `${head.method} ${head.target} ${head.version}`, fields: head.fields };
  const placeholders = { path: head.target, host: target.url.host, key, accept: acceptKey(key) };
  return editHead(draft, opening.edits, placeholders);
}

interface Opened {
  readonly opening: OpeningResult;
  readonly deflate: NegotiatedDeflate | undefined;
  /** What the server calls itself. */
  readonly server: string | undefined;
}

function readOpening(
  answer: HeadResult<'response'>,
  request: HeadDraft,
  knownBreach: string | undefined,
): Opened {
  if (!('head' in answer)) {
    return { opening: withoutHead(answer), deflate: undefined, server: undefined };
  }
  const { head } = answer;
  const server = fieldValue(head, 'server');
  if (head.status !== 101) {
    return { opening: { is: 'refused', head }, deflate: undefined, server };
  }
  const verified = verifyResponse(head, asRequest(request));
  const names = (fieldValue(head, 'sec-websocket-extensions') ?? '').toLowerCase();
  const found = verified.ok ? findUnknownExtension(head) : verified.violation;
  const breach = found?.code === knownBreach ? undefined : found;
  const deflate = verified.ok ? verified.deflate : undefined;
  return {
    opening: { is: 'accepted', breach, deflate: names.includes('permessage-deflate') },
    deflate,
    server,
  };
}

function withoutHead({ failed, received }: NoHead): OpeningResult {
  switch (failed) {
    case 'closed':
      return { is: 'hung-up' };
    case 'timeout':
      return { is: 'unanswered' };
    case 'violation':
      return { is: 'not-http', what: quoteBytes(received) };
  }
}

/** No server can know an extension that cases have made up, not even one that they offered. */
function findUnknownExtension(head: ResponseHead): Violation | undefined {
  const parsed = parseExtensions(fieldValue(head, 'sec-websocket-extensions') ?? '');
  const names = parsed.ok ? parsed.extensions.map(({ name }) => name) : [];
  const stranger = names.find((name) => name !== DEFLATE_EXTENSION);
  if (stranger === undefined) return undefined;
  const expected = 'no extension that does not exist';
  return violation('WSK_EXTENSIONS', { seen: `extension ${stranger}`, expected });
}

function isInOrder(opening: OpeningResult): boolean {
  return opening.is === 'accepted' && opening.breach === undefined;
}

/** Milliseconds a server has to die of what it met, if it does. */
const SETTLE_MS = 100;

/** Milliseconds for another connection, from TCP to the echo of the greeting. */
const SERVED_MS = 3000;

/** Whether the server still does for others what it is there for. */
async function isServed(
  script: ExchangeScript,
  target: Omit<ExchangeTarget, 'agent'>,
): Promise<boolean> {
  const ordinary: ExchangeScript = { ...script, opening: { edits: [] }, windowBits: undefined };
  await sleep(SETTLE_MS);
  try {
    await using wire = await openSocket(target.url, {
      ...socketOptions(target),
      timeoutMs: SERVED_MS,
    });
    const session = new Session({
      script: ordinary,
      wire,
      role: 'client',
      log: new CaseLog(),
    });
    await wire.write([encodeHead(draftRequest(ordinary, target))]);
    const answer = await readHead(wire, 'response', SERVED_MS);
    if (!('head' in answer) || answer.head.status !== 101) return false;
    if (!script.echoes) return true;
    return (await greet(session.conn, { ...script, waitMs: SERVED_MS })) !== undefined;
  } catch (error) {
    target.signal.throwIfAborted();
    // No connection is the answer here, and the next case reports it as what it is.
    if (error instanceof EnvironmentError) return false;
    throw error;
  }
}
