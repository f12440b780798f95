import type { ExchangeScript, Grade } from '../script.ts';
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

/** Names of probes that their titles do not give. */
const NAMES: Readonly<Record<string, string>> = {
  'x.1.1.2': 'other-upgrade',
  'x.1.1.7': 'short-key',
  'x.1.2.1': 'version-12',
  'x.1.3.3': 'field-case',
  'x.1.3.4': 'upgrade-case',
  'x.1.3.5': 'connection-case',
  'x.1.3.6': 'connection-list',
  'x.1.3.8': 'field-order',
  'x.1.4.8': 'packets',
  'x.1.4.10': 'pipelined',
  'x.1.5.1': 'subprotocol',
  'x.1.5.3': 'unknown-extension',
  'x.2.1.1': 'deflate-unknown-parameter',
  'x.2.1.2': 'deflate-bad-value',
  'x.2.1.7': 'deflate-repeated',
  'x.2.2.1': 'deflate-no-takeover',
  'x.2.2.2': 'deflate-server-window',
  'x.2.2.3': 'deflate-client-window',
};

/** The catalogue without what needs an echo: the answer to the request decides. */
export function serverProbes(): Probe[] {
  return SERVER_HANDSHAKES.map((row) => {
    const { description, expectation, script } = toCase({ ...withoutEcho(row), echoes: false });
    return {
      id: `probe-${NAMES[row.id] ?? nameOf(row)}`,
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
function asAnswer(grade: Grade): Grade[] {
  switch (grade.outcome.is) {
    case 'open':
      return [{ ...grade, outcome: { is: 'accepted' } }];
    case 'failed':
      return [];
    default:
      return [grade];
  }
}

function nameOf({ id, title }: Row): string {
  const text = id.startsWith('x.2.') ? `deflate ${title}` : title;
  return text
    .toLowerCase()
    .replace(/\b(an?|the) /g, '')
    .replace(/[^a-z0-9.]+/g, '-');
}
