import { VIOLATION_ADVICE, type Advice } from './violation-advice.ts';

/** What the choice of advice depends on. */
interface Outcome {
  readonly id: string;
  readonly behavior: string;
  readonly behaviorClose: string;
  /** False when the opening handshake was never completed. */
  readonly opened: boolean;
  /** Whether the right behaviour was to fail the connection, and not to answer. */
  readonly mustFail: boolean;
  /** Code of the first rule that the peer's own frames broke. */
  readonly violation: string | undefined;
}

interface Row extends Advice {
  readonly when: (outcome: Outcome) => boolean;
}

const notOk = ({ behavior }: Outcome): boolean =>
  behavior === 'FAILED' || behavior === 'NON-STRICT';

/** The row of a case whose id matches, when its behaviour is not what the RFC asks for. */
function ofCases(
  ids: RegExp,
  title: string,
  fix: string,
  when: (outcome: Outcome) => boolean = notOk,
): Row {
  return { title, fix, when: (outcome) => ids.test(outcome.id) && when(outcome) };
}

/** Faults of the messages of a connection; the first row that matches is used. */
const BEHAVIOR: readonly Row[] = [
  {
    title: 'The connection never opened',
    fix: 'Look at the request and the response below: status 101, Upgrade, Connection and the Sec-WebSocket-Accept of this key are needed, and no extension or subprotocol that was not offered.',
    when: ({ opened, behavior }) => !opened && behavior !== 'UNIMPLEMENTED',
  },
  {
    title: 'Compression is not offered',
    fix: 'Turn permessage-deflate on in the WebSocket library, or exclude 12.* and 13.* when the peer is meant to go without.',
    when: ({ behavior }) => behavior === 'UNIMPLEMENTED',
  },
  ofCases(
    /^1\./,
    'A message was not echoed as it was sent',
    'Send back the same bytes in a message of the same type (text or binary), also when they are empty or need a 16- or 64-bit length.',
  ),
  ofCases(
    /^2\.5$/,
    'A Ping of more than 125 bytes was accepted',
    'Fail the connection with 1002 when a control frame has a length field above 125.',
  ),
  ofCases(
    /^2\.(7|8)$/,
    'An unsolicited Pong disturbed the peer',
    'Ignore unsolicited Pongs; they are a heartbeat in one direction.',
  ),
  ofCases(
    /^2\./,
    'Pings are not answered correctly',
    'Answer every Ping with one Pong that carries the same payload, in the order of arrival, also between other frames.',
  ),
  ofCases(
    /^3\./,
    'A reserved bit was accepted',
    'Fail the connection with 1002 when RSV1-3 are set and no negotiated extension gives them a meaning. Answer the messages before such a frame first.',
  ),
  ofCases(
    /^4\./,
    'A reserved opcode was accepted',
    'Fail the connection with 1002 at opcodes 3-7 and 11-15. Answer the messages before such a frame first.',
  ),
  ofCases(
    /^5\.(1|2)$/,
    'A fragmented control frame was accepted',
    'Fail the connection with 1002 when FIN is 0 on a Ping, Pong or Close.',
  ),
  ofCases(
    /^5\.([3-8]|19|20)$/,
    'A fragmented message was not reassembled',
    'Collect the continuation frames up to FIN and answer control frames in between at once.',
  ),
  ofCases(
    /^5\./,
    'The order of fragments is not checked',
    'Remember whether a message is open: a continuation without one and a new text or binary frame inside one both fail the connection with 1002.',
  ),
  ofCases(
    /^6\.4\./,
    'Invalid UTF-8 is detected late',
    'Validate text while it arrives, byte by byte, and fail with 1007 at the first invalid byte; waiting for the end of the message is allowed, but lets a peer fill the memory.',
    ({ behavior }) => behavior === 'NON-STRICT',
  ),
  ofCases(
    /^6\./,
    'Invalid UTF-8 was accepted',
    'Check every text message and fail the connection with 1007: no overlong forms, surrogates, code points above U+10FFFF or cut sequences, also when a sequence is split over frames.',
    (outcome) => notOk(outcome) && outcome.mustFail,
  ),
  ofCases(
    /^6\./,
    'Valid text was refused or changed',
    'Check UTF-8 over the whole message and not per frame, accept non-characters such as U+FFFE, and echo the bytes unchanged.',
  ),
  ofCases(
    /^7\.1\./,
    'Something happened after the Close frame',
    'Stop delivering and sending once a Close frame was received: answer with one Close frame, then close TCP.',
  ),
  ofCases(
    /^7\.(3\.2|3\.6)$/,
    'A malformed Close frame was accepted',
    'A close payload has 0 or 2 to 125 bytes; fail the connection with 1002 at any other size.',
  ),
  ofCases(
    /^7\.5\./,
    'A close reason with invalid UTF-8 was accepted',
    'Check the reason like any text and fail the connection with 1007 (1002 is tolerated).',
  ),
  ofCases(
    /^7\.(9|13)\./,
    'A forbidden close code was accepted',
    'Answer 1002 to codes below 1000, to 1004-1006 and 1015, and to 1016-2999; do not echo them.',
  ),
  ofCases(
    /^7\./,
    'The closing handshake is wrong',
    'Answer a Close frame with the same code or with 1000, once, and close TCP afterwards.',
  ),
  ofCases(
    /^9\.[34]\./,
    'A message of many fragments was not echoed',
    'Look for a limit on the number of fragments or on the size of a message (close code 1008 or 1009), and for copies that grow with every fragment.',
  ),
  ofCases(
    /^9\./,
    'A large message, or many, did not come back in time',
    'Look for a limit on the size of a message (close code 1009) and for work that is repeated for every chunk that arrives.',
  ),
  ofCases(
    /^10\./,
    'A message in automatic fragments was not echoed',
    'Reassemble continuation frames, however many there are.',
  ),
  ofCases(
    /^12\./,
    'A compressed message was not echoed correctly',
    'Append 00 00 ff ff before inflating, keep the window between messages unless no_context_takeover was agreed, and set RSV1 only on the first frame.',
  ),
  ofCases(
    /^13\./,
    'Negotiated compression parameters are not kept',
    'Deflate with the window and the context takeover that the response of the handshake promised; decline an offer that cannot be met.',
  ),
  ofCases(
    /^x\.1\./,
    'An invalid opening request was accepted, or a valid one was refused',
    'Check the request line and every field of RFC 6455 section 4.2.1 before answering 101: each field once, field names and tokens without regard to case, a key of 16 octets, version 13 or a 426 that names it; read until the empty line, and keep the bytes after it.',
  ),
  ofCases(
    /^x\.2\./,
    'An offer of permessage-deflate was read wrongly',
    'Answer only parameters that were offered, each once and in its range; decline an offer that cannot be met, and take the next one.',
  ),
  ofCases(
    /^x\.3\./,
    'An invalid opening response was accepted, or a valid one was refused',
    'Fail the connection unless status, Upgrade, Connection and Sec-WebSocket-Accept are as RFC 6455 section 4.1 requires, and when the response has a subprotocol or an extension that was not requested.',
  ),
  ofCases(
    /^x\.4\./,
    'An invalid frame header was accepted',
    'Check the whole header before the payload: the mask bit of the role, reserved bits only where an extension gives them a meaning, a known opcode, a 64-bit length below 2^63.',
  ),
  ofCases(
    /^x\.5\./,
    'A message that came slowly or in very many pieces was lost',
    'Keep the part of a header or payload that was read until the rest arrives, answer pings in between, and let no time-out depend on a whole message.',
  ),
  ofCases(
    /^x\.6\./,
    'A compressed message was handled wrongly',
    'Fail the connection at a DEFLATE stream that is broken or larger than the limit, inflate across blocks and fragments with the agreed window, and set RSV1 only on the first frame.',
  ),
  ofCases(
    /^x\.7\./,
    'The closing handshake is wrong',
    'Answer a Close frame once with the same code, fail the connection at codes that must not be sent and at reasons that are not UTF-8, and read nothing after a Close frame.',
  ),
];

/** Faults of how a connection ended. */
const CLOSE: readonly Row[] = [
  {
    title: 'The closing handshake was cut off',
    fix: 'Answer the Close frame before the TCP connection is closed, and send only valid frames until then.',
    when: ({ behaviorClose }) => behaviorClose === 'UNCLEAN',
  },
  {
    title: 'The close code is wrong',
    fix: 'Close with 1002 after a protocol error and 1007 after invalid text; answer a Close frame with its own code or with 1000.',
    when: ({ behaviorClose }) => behaviorClose === 'WRONG CODE',
  },
  {
    title: 'The server leaves closing TCP to the client',
    fix: 'Close the TCP connection after both Close frames; clients wait for the server to do so.',
    when: ({ behaviorClose }) => behaviorClose === 'FAILED BY CLIENT',
  },
  {
    title: 'The peer did not fail the connection',
    fix: 'At the frame that breaks the rules, send a Close frame with the right code and read nothing more.',
    when: ({ behaviorClose, opened, mustFail }) => behaviorClose === 'FAILED' && opened && mustFail,
  },
  {
    title: 'The peer closed the connection first',
    fix: 'Nothing in this exchange is forbidden: find out why the peer closed it (a limit, an exception, a timeout).',
    when: ({ behaviorClose, opened }) => behaviorClose === 'FAILED' && opened,
  },
];

/**
 * Chooses the advice for a case; none for a pass. A violation by the peer's own frames explains more
 * than the subject of the case.
 */
export function adviceFor(outcome: Outcome): Advice[] {
  const broken = VIOLATION_ADVICE[outcome.violation ?? ''];
  const behavior = BEHAVIOR.find(({ when }) => when(outcome));
  if (broken !== undefined) return outcome.mustFail ? listed(behavior, broken) : [broken];
  // If the messages were wrong too, a plain FAILED adds nothing.
  const told = behavior !== undefined && outcome.behaviorClose === 'FAILED';
  const close = told ? undefined : CLOSE.find(({ when }) => when(outcome));
  return listed(behavior, close);
}

function listed(...rows: readonly (Advice | undefined)[]): Advice[] {
  return rows.flatMap((row) => (row === undefined ? [] : [{ title: row.title, fix: row.fix }]));
}
