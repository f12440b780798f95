import {
  DEFLATE_EXTENSION,
  fieldValue,
  parseDeflate,
  parseExtensions,
} from '../../protocol/index.ts';
import type { DeflateParams, ResponseHead } from '../../protocol/index.ts';
import { statusLine, withField, withFieldSeen } from './probe.ts';
import type { Probe } from './probe.ts';

/** RFC 7692 section 7.1: offers "a server MUST decline", by leaving them out or refusing. */
const ILLEGAL_OFFERS: readonly Probe[] = [
  declined(
    'probe-deflate-unknown-parameter',
    'permessage-deflate; wsk_unknown',
    'an unknown parameter',
  ),
  declined(
    'probe-deflate-bad-value',
    'permessage-deflate; server_max_window_bits=16',
    'an invalid value',
  ),
  declined(
    'probe-deflate-repeated',
    'permessage-deflate; server_no_context_takeover; server_no_context_takeover',
    'a repeated parameter',
  ),
];

/** RFC 7692 sections 7.1.1 and 7.1.2: what a response has to hold if it takes the offer. */
const LEGAL_OFFERS: readonly Probe[] = [
  answered(
    'probe-deflate-no-takeover',
    '7692#7.1.1.1',
    'permessage-deflate; server_no_context_takeover',
    'server_no_context_takeover',
    (params) => params.serverNoContextTakeover,
  ),
  answered(
    'probe-deflate-server-window',
    '7692#7.1.2.1',
    'permessage-deflate; server_max_window_bits=10',
    'server_max_window_bits of at most 10',
    (params) => params.serverMaxWindowBits !== undefined && params.serverMaxWindowBits <= 10,
  ),
  answered(
    'probe-deflate-client-window',
    '7692#7.1.2.2',
    'permessage-deflate',
    'no client_max_window_bits',
    (params) => params.clientMaxWindowBits === undefined,
  ),
];

/** What a server has to do with offers of permessage-deflate. */
export const DEFLATE_PROBES: readonly Probe[] = [...ILLEGAL_OFFERS, ...LEGAL_OFFERS];

function declined(id: string, offer: string, what: string): Probe {
  return {
    id,
    rfc: '7692#7.1',
    rule: `An offer of permessage-deflate with ${what} is declined.`,
    expected: '101 without permessage-deflate, or an HTTP error',
    change: withField('Sec-WebSocket-Extensions', offer),
    judge: (answer) => {
      if (answer.head === undefined) return { verdict: 'fail', seen: answer.what };
      if (answer.head.status !== 101) return { verdict: 'pass', seen: statusLine(answer.head) };
      return {
        verdict: deflateParams(answer.head) === undefined ? 'pass' : 'fail',
        seen: withFieldSeen(answer.head, 'Sec-WebSocket-Extensions'),
      };
    },
  };
}

function answered(
  id: string,
  rfc: string,
  offer: string,
  expected: string,
  holds: (params: DeflateParams) => boolean,
): Probe {
  return {
    id,
    rfc,
    rule: `The response to "${offer}" has ${expected}.`,
    expected,
    change: withField('Sec-WebSocket-Extensions', offer),
    judge: (answer) => {
      if (answer.head === undefined) return { verdict: 'fail', seen: answer.what };
      const params = deflateParams(answer.head);
      const seen = withFieldSeen(answer.head, 'Sec-WebSocket-Extensions');
      if (params === undefined) return { verdict: 'skip', seen: `the offer was declined: ${seen}` };
      return { verdict: holds(params) ? 'pass' : 'fail', seen };
    },
  };
}

function deflateParams(head: ResponseHead): DeflateParams | undefined {
  const parsed = parseExtensions(fieldValue(head, 'sec-websocket-extensions') ?? '');
  if (!parsed.ok) return undefined;
  const deflate = parsed.extensions.find(({ name }) => name === DEFLATE_EXTENSION);
  return deflate && parseDeflate(deflate, 'response').params;
}
