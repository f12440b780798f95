import { DEFLATE_PROBES } from './deflate-probes.ts';
import { FrameDecoder, Opcode, encodeFrame, fieldValue } from '../../protocol/index.ts';
import { accepted, refused, withField, withFieldSeen, without } from './probe.ts';
import type { Answer, Probe, ProbeOutcome, RequestDraft } from './probe.ts';

const REFUSED = 'an HTTP error, not 101';
const ACCEPTED = '101';

const ANOTHER_KEY = Buffer.alloc(16, 'k').toString('base64');

/**
 * 4.2.1: of anything else "the server MUST stop processing the client's handshake and return an
 * HTTP response with an appropriate error code".
 */
const INCOMPLETE_REQUESTS: readonly Probe[] = [
  refusal('probe-http-1.0', 'A request with HTTP/1.0 is refused.', (draft) => ({
    ...draft,
    version: 'HTTP/1.0',
  })),
  refusal('probe-post', 'A request with another method than GET is refused.', (draft) => ({
    ...draft,
    method: 'POST',
    fields: [...draft.fields, { name: 'Content-Length', value: '0' }],
  })),
  refusal('probe-no-host', 'A request without Host is refused.', without('Host')),
  refusal('probe-no-upgrade', 'A request without Upgrade is not upgraded.', without('Upgrade')),
  refusal(
    'probe-other-upgrade',
    'A request to upgrade to something else is not upgraded.',
    withField('Upgrade', 'h2c'),
  ),
  refusal(
    'probe-no-connection',
    'A request without Connection is not upgraded.',
    without('Connection'),
  ),
  refusal(
    'probe-no-key',
    'A request without Sec-WebSocket-Key is refused.',
    without('Sec-WebSocket-Key'),
  ),
  refusal(
    'probe-short-key',
    'A Sec-WebSocket-Key that does not decode to 16 bytes is refused.',
    withField('Sec-WebSocket-Key', Buffer.alloc(15, 'k').toString('base64')),
  ),
  {
    ...refusal(
      'probe-two-keys',
      'A request with two Sec-WebSocket-Key fields is refused.',
      (draft) => ({
        ...draft,
        fields: [...draft.fields, { name: 'Sec-WebSocket-Key', value: ANOTHER_KEY }],
      }),
    ),
    // 11.3.1: the field "MUST NOT appear more than once in an HTTP request".
    rfc: '6455#11.3.1',
  },
  refusal(
    'probe-no-version',
    'A request without Sec-WebSocket-Version is refused.',
    without('Sec-WebSocket-Version'),
  ),
];

/** 4.2.1 again: what a server has to take, however it is written. */
const UNUSUAL_REQUESTS: readonly Probe[] = [
  acceptance(
    'probe-upgrade-case',
    'The token websocket in Upgrade is taken in any case.',
    withField('Upgrade', 'WebSocket'),
  ),
  acceptance(
    'probe-connection-case',
    'The token Upgrade in Connection is taken in any case.',
    withField('Connection', 'upgrade'),
  ),
  acceptance(
    'probe-connection-list',
    'Upgrade is found among other tokens of Connection.',
    withField('Connection', 'keep-alive, Upgrade'),
  ),
  acceptance('probe-field-case', 'The names of fields are taken in any case.', (draft) => ({
    ...draft,
    fields: draft.fields.map(({ name, value }) => ({ name: name.toUpperCase(), value })),
  })),
  acceptance('probe-field-order', 'The order of the fields does not matter.', (draft) => ({
    ...draft,
    fields: [...draft.fields].reverse(),
  })),
  {
    ...acceptance(
      'probe-packets',
      'A request that arrives in several packets is taken.',
      (draft) => draft,
    ),
    packets: (request) => [
      request.subarray(0, 10),
      request.subarray(10, request.length - 3),
      request.subarray(request.length - 3),
    ],
  },
];

const PING_PAYLOAD = Buffer.from('behind the request');

/** A frame in the packet of the request: TCP has no boundaries, so it must not be lost. */
const PIPELINED: Probe = {
  id: 'probe-pipelined',
  rfc: '6455#4.1',
  rule: 'A frame that arrives together with the request is not lost.',
  expected: '101 and the pong of a ping sent with the request',
  change: (draft) => draft,
  packets: (request) => {
    const ping = encodeFrame({
      opcode: Opcode.ping,
      payload: PING_PAYLOAD,
      maskingKey: Buffer.from('mask'),
    });
    return [Buffer.concat([request, ping])];
  },
  judge: judgePong,
};

const OTHER_VERSION: Probe = {
  id: 'probe-version-12',
  rfc: '6455#4.4',
  rule: 'Another version is refused with the versions the server speaks.',
  expected: '426 or another HTTP error, with Sec-WebSocket-Version: 13',
  change: withField('Sec-WebSocket-Version', '12'),
  judge: (answer) => {
    const outcome = refused(answer);
    if (answer.head === undefined || outcome.verdict === 'fail') return outcome;
    const versions = fieldValue(answer.head, 'sec-websocket-version') ?? '';
    const named = versions.split(',').some((version) => version.trim() === '13');
    return {
      verdict: named ? 'pass' : 'fail',
      seen: withFieldSeen(answer.head, 'Sec-WebSocket-Version'),
    };
  },
};

/** A name no server knows, but a token like any other (4.1, item 10). */
const UNKNOWN_SUBPROTOCOL = 'wsk.unknown.v0';

const SUBPROTOCOL: Probe = {
  id: 'probe-subprotocol',
  rfc: '6455#4.2.2',
  rule: 'A subprotocol the client did not offer is not selected.',
  expected: `none, ${UNKNOWN_SUBPROTOCOL} or an HTTP error`,
  change: withField('Sec-WebSocket-Protocol', UNKNOWN_SUBPROTOCOL),
  judge: (answer) => {
    if (answer.head === undefined) return { verdict: 'fail', seen: answer.what };
    const selected = fieldValue(answer.head, 'sec-websocket-protocol');
    const legal = selected === undefined || selected === UNKNOWN_SUBPROTOCOL;
    return {
      verdict: legal || answer.head.status !== 101 ? 'pass' : 'fail',
      seen: withFieldSeen(answer.head, 'Sec-WebSocket-Protocol'),
    };
  },
};

const UNKNOWN_EXTENSION: Probe = {
  id: 'probe-unknown-extension',
  rfc: '6455#9.1',
  rule: 'An extension the server does not know is left out, not refused.',
  expected: '101 without it',
  change: withField('Sec-WebSocket-Extensions', 'x-wsk-unknown; level=1'),
  judge: (answer) => {
    const outcome = accepted(answer);
    if (answer.head === undefined || outcome.verdict === 'fail') return outcome;
    const extensions = fieldValue(answer.head, 'sec-websocket-extensions');
    return {
      verdict: extensions === undefined ? 'pass' : 'fail',
      seen: withFieldSeen(answer.head, 'Sec-WebSocket-Extensions'),
    };
  },
};

/** What a server has to do with each kind of request, in the order of the report. */
export const PROBES: readonly Probe[] = [
  ...INCOMPLETE_REQUESTS,
  OTHER_VERSION,
  ...UNUSUAL_REQUESTS,
  PIPELINED,
  SUBPROTOCOL,
  UNKNOWN_EXTENSION,
  ...DEFLATE_PROBES,
];

type Change = (draft: RequestDraft) => RequestDraft;

function refusal(id: string, rule: string, change: Change): Probe {
  return { id, rfc: '6455#4.2.1', rule, expected: REFUSED, change, judge: refused };
}

function acceptance(id: string, rule: string, change: Change): Probe {
  return { id, rfc: '6455#4.2.1', rule, expected: ACCEPTED, change, judge: accepted };
}

/** How long the pong of the pipelined ping may take. */
const PONG_TIMEOUT_MS = 1000;

async function judgePong(answer: Answer): Promise<ProbeOutcome> {
  const outcome = accepted(answer);
  if (answer.head === undefined || outcome.verdict === 'fail') return outcome;
  const decoder = new FrameDecoder();
  const deadline = performance.now() + PONG_TIMEOUT_MS;
  for (;;) {
    const bytes = await answer.wire.read(Math.max(0, deadline - performance.now()));
    if (typeof bytes === 'string') return { verdict: 'fail', seen: `${outcome.seen}, but no pong` };
    decoder.receive(bytes);
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
      if (frame.opcode === Opcode.pong && frame.payload.equals(PING_PAYLOAD)) {
        return { verdict: 'pass', seen: `${outcome.seen} and the pong` };
      }
    }
  }
}
