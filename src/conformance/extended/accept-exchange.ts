import {
  acceptKey,
  acceptOffer,
  fieldValue,
  formatExtensions,
  parseExtensions,
} from '../../protocol/index.ts';
import type { DeflateSupport, RequestHead } from '../../protocol/index.ts';
import type { Wire } from '../../transport/index.ts';
import { VERSION } from '../../core/version.ts';
import { CaseLog } from '../wire/frame-log.ts';
import type { CaseResult } from '../result.ts';
import type { CaseTask } from '../case.ts';
import { Guard } from './session.ts';
import { editHead, encodeHead } from '../handshake/head-draft.ts';
import type { HeadDraft } from '../handshake/head-draft.ts';
import type { Observation, PeerRequest } from '../observation.ts';
import { NOT_RUN, runScript } from './run-script.ts';
import type { ExchangeScript } from '../script.ts';
import { sendHead } from '../handshake/send-head.ts';
import { Session } from './session.ts';
import { toExchangeResult } from './result.ts';

/** Runs one extended case with a client that asked for it; the request was found in order. */
export async function acceptExchange(
  opened: Wire,
  request: PeerRequest,
  { task, script, agent }: { task: CaseTask; script: ExchangeScript; agent: string },
): Promise<CaseResult> {
  const startedAt = new Date();
  const began = performance.now();
  await using wire = opened;
  using guard = new Guard(wire, script.waitMs);
  const log = new CaseLog();
  const session = new Session({ script, wire, role: 'server', log });
  const { deflate } = script.opening;
  const agreed = deflate && answerOffer(request.head, deflate.answer);
  const response = draftResponse(script, request.head, agreed?.extensions);
  const lacking = session.compress(agreed?.deflate);
  await sendHead(response, { opening: script.opening, wire, conn: session.conn });
  const outcome =
    lacking !== undefined
      ? NOT_RUN
      : await runScript({ script, conn: session.conn, wire, role: 'server' });
  const seen: Observation = {
    opening: { is: 'accepted', breach: undefined, deflate: agreed !== undefined },
    ...outcome,
    served: undefined,
    lacking,
    guard: guard.reason,
  };
  return toExchangeResult({
    task,
    script,
    agent,
    startedAt,
    durationMs: performance.now() - began,
    httpRequest: request.text,
    httpResponse: encodeHead(response).toString('latin1').slice(0, SHOWN_CHARACTERS),
    log,
    sentClose: session.conn.sentClose,
    seen,
  });
}

/** Most of a response that a report shows. */
const SHOWN_CHARACTERS = 4096;

function answerOffer(head: RequestHead, wanted: DeflateSupport) {
  const parsed = parseExtensions(fieldValue(head, 'sec-websocket-extensions') ?? '');
  const accepted = parsed.ok ? acceptOffer(parsed.extensions, wanted) : undefined;
  return (
    accepted && { deflate: accepted.deflate, extensions: formatExtensions([accepted.response]) }
  );
}

function draftResponse(
  { opening }: ExchangeScript,
  request: RequestHead,
  extensions: string | undefined,
): HeadDraft {
  const key = fieldValue(request, 'sec-websocket-key') ?? '';
  const draft: HeadDraft = {
    start: 'HTTP/1.1 101 Switching Protocols',
    fields: [
      { name: 'Server', value: `websocket-skill/${VERSION}` },
      { name: 'Upgrade', value: 'websocket' },
      { name: 'Connection', value: 'Upgrade' },
      { name: 'Sec-WebSocket-Accept', value: acceptKey(key) },
      ...(extensions === undefined
        ? []
        : [{ name: 'Sec-WebSocket-Extensions', value: extensions }]),
    ],
  };
  const placeholders = {
    path: request.target,
    host: fieldValue(request, 'host') ?? '',
    key,
    accept: acceptKey(key),
  };
  return editHead(draft, opening.edits, placeholders);
}
