import { VIOLATION_ADVICE, type Advice } from './violation-advice.ts';

/** What the advice of a case is chosen by. */
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

/** What may be wrong with the messages of a connection; the first row that fits counts. */
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
    'Pings are not answered as they should be',
    'Answer every Ping with one Pong that carries the same payload, in the order of arrival, also between other frames.',
  ),
  ofCases(
    /^3\./,
    'A reserved bit was accepted',
    'Fail the connection with 1002 when RSV1-3 are set and no negotiated extension gives them a meaning. What came before such a frame is best answered first.',
  ),
  ofCases(
    /^4\./,
    'A reserved opcode was accepted',
    'Fail the connection with 1002 at opcodes 3-7 and 11-15. What came before such a frame is best answered first.',
  ),
  ofCases(
    /^5\.(1|2)$/,
    'A fragmented control frame was accepted',
    'Fail the connection with 1002 when FIN is 0 on a Ping, Pong or Close.',
  ),
  ofCases(
    /^5\.([3-8]|19|20)$/,
    'A fragmented message was not put together',
    'Collect the continuation frames up to FIN and answer control frames in between at once.',
  ),
  ofCases(
    /^5\./,
    'The order of fragments is not checked',
    'Remember whether a message is open: a continuation without one and a new text or binary frame inside one both fail the connection with 1002.',
  ),
  ofCases(
    /^6\.4\./,
    'Broken UTF-8 is noticed late',
    'Validate text while it arrives, byte by byte, and fail with 1007 at the first byte that cannot be right; waiting for the end of the message is allowed, but lets a peer fill the memory.',
    ({ behavior }) => behavior === 'NON-STRICT',
  ),
  ofCases(
    /^6\./,
    'Broken UTF-8 was accepted',
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
    'A close reason with broken UTF-8 was accepted',
    'Check the reason like any text and fail the connection with 1007 (1002 is tolerated).',
  ),
  ofCases(
    /^7\.(9|13)\./,
    'A forbidden close code was accepted',
    'Answer 1002 to codes below 1000, to 1004-1006 and 1015, and to 1016-2999; do not echo them.',
  ),
  ofCases(
    /^7\./,
    'The closing handshake is not as it should be',
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
    'Put continuation frames together regardless of how many there are.',
  ),
  ofCases(
    /^12\./,
    'Compressed messages do not survive the echo',
    'Append 00 00 ff ff before inflating, keep the window between messages unless no_context_takeover was agreed, and set RSV1 only on the first frame.',
  ),
  ofCases(
    /^13\./,
    'Negotiated compression parameters are not kept',
    'Deflate with the window and the context takeover that the response of the handshake promised; decline an offer that cannot be met.',
  ),
  ofCases(
    /^x\.1\./,
    'An opening request that breaks a rule was taken, or a good one was not',
    'Check the request line and every field of RFC 6455 section 4.2.1 before answering 101: each field once, field names and tokens without regard to case, a key of 16 octets, version 13 or a 426 that names it; read until the empty line, and keep what comes behind it.',
  ),
  ofCases(
    /^x\.2\./,
    'An offer of permessage-deflate was read wrongly',
    'Answer only parameters that were offered, each once and in its range; decline an offer that cannot be met, and take the next one.',
  ),
  ofCases(
    /^x\.3\./,
    'An opening response that breaks a rule was taken, or a good one was not',
    'Fail the connection unless status, Upgrade, Connection and Sec-WebSocket-Accept are as RFC 6455 section 4.1 has them, and over a subprotocol or an extension that was not asked for.',
  ),
  ofCases(
    /^x\.4\./,
    'A frame header that breaks a rule was taken',
    'Look at all of the header before the payload: the mask bit that fits the role, reserved bits only where an extension gives them a meaning, a known opcode, a 64-bit length below 2^63.',
  ),
  ofCases(
    /^x\.5\./,
    'A message that came slowly or in very many pieces was lost',
    'Keep what was read of a header or a payload until the rest is there, answer pings in between, and let no time-out depend on a whole message.',
  ),
  ofCases(
    /^x\.6\./,
    'A compressed message was handled wrongly',
    'Fail the connection over a DEFLATE stream that is broken or larger than the limit, inflate across blocks and fragments with the agreed window, and set RSV1 on the first frame alone.',
  ),
  ofCases(
    /^x\.7\./,
    'The closing handshake is not as it should be',
    'Answer a Close frame once with the same code, fail the connection over codes that may not be sent and over reasons that are not UTF-8, and read nothing behind a Close frame.',
  ),
];

/** What may be wrong with the way a connection ended. */
const CLOSE: readonly Row[] = [
  {
    title: 'The closing handshake was cut off',
    fix: 'Answer the Close frame before the TCP connection is closed, and send only valid frames until then.',
    when: ({ behaviorClose }) => behaviorClose === 'UNCLEAN',
  },
  {
    title: 'The close code is not one that fits',
    fix: 'Close with 1002 after a protocol error and 1007 after broken text; answer a Close frame with its own code or with 1000.',
    when: ({ behaviorClose }) => behaviorClose === 'WRONG CODE',
  },
  {
    title: 'The server leaves closing TCP to the client',
    fix: 'Close the TCP connection as soon as both Close frames are through; clients wait for the server to do so.',
    when: ({ behaviorClose }) => behaviorClose === 'FAILED BY CLIENT',
  },
  {
    title: 'The peer went on where it should have failed the connection',
    fix: 'Send a Close frame with the fitting code at the frame that breaks the rules, and read nothing more.',
    when: ({ behaviorClose, opened, mustFail }) => behaviorClose === 'FAILED' && opened && mustFail,
  },
  {
    title: 'The peer ended the connection by itself',
    fix: 'Nothing in this exchange is forbidden: find out why the peer closed it (a limit, an exception, a timeout).',
    when: ({ behaviorClose, opened }) => behaviorClose === 'FAILED' && opened,
  },
];

/**
 * Chooses what to tell whoever has to mend the case; nothing for a pass. What the peer's own frames
 * break says more than what the case is about.
 */
export function adviceFor(outcome: Outcome): Advice[] {
  const broken = VIOLATION_ADVICE[outcome.violation ?? ''];
  const behavior = BEHAVIOR.find(({ when }) => when(outcome));
  if (broken !== undefined) return outcome.mustFail ? listed(behavior, broken) : [broken];
  // A plain FAILED says nothing that is not known when the messages were wrong as well.
  const told = behavior !== undefined && outcome.behaviorClose === 'FAILED';
  const close = told ? undefined : CLOSE.find(({ when }) => when(outcome));
  return listed(behavior, close);
}

function listed(...rows: readonly (Advice | undefined)[]): Advice[] {
  return rows.flatMap((row) => (row === undefined ? [] : [{ title: row.title, fix: row.fix }]));
}
