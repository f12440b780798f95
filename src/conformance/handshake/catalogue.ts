import type { ExchangeScript, ExpectedOutcome } from '../script.ts';
import { toCase } from './builders.ts';
import type { Row } from './builders.ts';
import { DEFLATE_OFFERS } from './cases/offers.ts';
import { REQUEST_EDGES } from './cases/request-edges.ts';
import { REQUESTS } from './cases/requests.ts';

/**
 * The catalogue of opening handshakes that judge a server, x.1 and x.2. `autobahn-test --extended`
 * runs these rows against servers that echo, `validate-handshake` against any server.
 */
export const SERVER_HANDSHAKES: readonly Row[] = [...REQUESTS, ...REQUEST_EDGES, ...DEFLATE_OFFERS];

/** A row of the catalogue for a server of which nothing is known but its URL. */
export interface Probe {
  /** `probe-two-keys`. */
  readonly id: string;
  readonly rfc: string;
  /** What the tester sends, in a sentence. */
  readonly sends: string;
  /** What a conforming server does, in a sentence. */
  readonly expected: string;
  readonly script: ExchangeScript;
}

/** Ids of the rows in `validate-handshake`, behind `probe-`. Users name them: they never change. */
const PROBE_IDS: Readonly<Record<string, string>> = {
  'x.1.1.1': 'no-upgrade',
  'x.1.1.2': 'other-upgrade',
  'x.1.1.3': 'no-connection',
  'x.1.1.4': 'connection-without-upgrade',
  'x.1.1.5': 'no-key',
  'x.1.1.6': 'empty-key',
  'x.1.1.7': 'short-key',
  'x.1.1.8': 'key-of-17-bytes',
  'x.1.1.9': 'key-not-base64',
  'x.1.1.10': 'two-keys',
  'x.1.1.11': 'no-version',
  'x.1.1.12': 'two-versions',
  'x.1.1.13': 'http-1.0',
  'x.1.1.14': 'post',
  'x.1.1.15': 'no-host',
  'x.1.1.16': 'two-hosts',
  'x.1.1.17': 'white-space-before-colon',
  'x.1.1.18': 'key-in-folded-line',
  'x.1.2.1': 'version-12',
  'x.1.2.2': 'version-not-a-number',
  'x.1.2.3': 'version-of-draft',
  'x.1.3.1': 'ordinary-request',
  'x.1.3.2': 'names-in-lower-case',
  'x.1.3.3': 'field-case',
  'x.1.3.4': 'upgrade-case',
  'x.1.3.5': 'connection-case',
  'x.1.3.6': 'connection-list',
  'x.1.3.7': 'two-connection-fields',
  'x.1.3.8': 'field-order',
  'x.1.3.9': 'absolute-target',
  'x.1.3.10': 'much-white-space',
  'x.1.4.1': 'list-in-upgrade',
  'x.1.4.2': 'folded-field',
  'x.1.4.3': 'subprotocol-in-folded-line',
  'x.1.4.4': 'field-of-8-kib',
  'x.1.4.5': 'field-of-1-mib',
  'x.1.4.6': '80-fields',
  'x.1.4.7': 'head-without-end',
  'x.1.4.8': 'packets',
  'x.1.4.9': 'request-octet-by-octet',
  'x.1.4.10': 'pipelined',
  'x.1.4.11': 'half-frame-behind-request',
  'x.1.5.1': 'subprotocol',
  'x.1.5.2': 'subprotocols-in-two-fields',
  'x.1.5.3': 'unknown-extension',
  'x.1.5.4': 'extensions-in-two-fields',
  'x.2.1.1': 'deflate-unknown-parameter',
  'x.2.1.2': 'deflate-bad-value',
  'x.2.1.3': 'deflate-window-of-7-bits',
  'x.2.1.4': 'deflate-window-with-leading-zero',
  'x.2.1.5': 'deflate-window-without-value',
  'x.2.1.6': 'deflate-value-where-there-is-none',
  'x.2.1.7': 'deflate-repeated',
  'x.2.1.8': 'deflate-second-offer-behind-illegal-one',
  'x.2.1.9': 'deflate-header-that-breaks-its-grammar',
  'x.2.2.1': 'deflate-no-takeover',
  'x.2.2.2': 'deflate-server-window',
  'x.2.2.3': 'deflate-client-window',
  'x.2.2.4': 'deflate-client-max-window-bits-of-10',
  'x.2.2.5': 'deflate-quoted-value',
  'x.2.2.6': 'deflate-smallest-window',
};

/** The catalogue without what needs an echo: the answer to the request decides. */
export function serverProbes(): Probe[] {
  return SERVER_HANDSHAKES.map((row) => {
    const { description, expectation, script } = toCase({ ...withoutEcho(row), echoes: false });
    return {
      id: `probe-${PROBE_IDS[row.id] ?? row.id}`,
      rfc: row.rfc,
      sends: description,
      expected: expectation.replace(/^Expected: /, ''),
      script: script as ExchangeScript,
    };
  });
}

function withoutEcho(row: Row): Row {
  // A ping behind the request is answered without an echo.
  if (row.opening?.early?.every(({ opcode }) => opcode === PING) === true) return row;
  return { ...row, send: [], ending: 'opening', expect: row.expect.flatMap(asAnswer) };
}

const PING = 9;

/** A connection that goes on is one whose request was accepted. */
function asAnswer(expected: ExpectedOutcome): ExpectedOutcome[] {
  switch (expected.outcome.is) {
    case 'open':
      return [{ ...expected, outcome: { is: 'accepted' } }];
    case 'failed':
      return [];
    default:
      return [expected];
  }
}
