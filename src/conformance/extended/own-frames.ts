import { Opcode } from '../../protocol/index.ts';
import type { ReceivedFrame } from '../observation.ts';
import type { ExchangeScript, WireFrame } from '../script.ts';

/** A message this short may hold octets of another one by chance. */
const MIN_PART_BYTES = 4;

/**
 * What answers the tester, without what the peer sends of its own: pongs that no ping asked for
 * (5.5.3 allows them), and messages such as a greeting or a heartbeat.
 *
 * A message counts as an answer if it is one that the script sends or expects, or a part of one: a
 * doubled or a cut echo is no heartbeat.
 */
export function withoutOwn(
  received: readonly ReceivedFrame[],
  script: ExchangeScript,
): readonly ReceivedFrame[] {
  // Before the head of the tester has ended, nobody has anything to say.
  if (script.opening.endless !== undefined) return received;
  const frames = framesOf(script);
  const announces = frames.some(({ declaredLength }) => declaredLength !== undefined);
  const pings = frames.filter(({ opcode }) => opcode === Opcode.ping).map(({ payload }) => payload);
  const messages = messagesOf(script);
  const whole = Buffer.concat(messages);
  return received.filter(({ type, payload, length }) => {
    if (type === 'pong') {
      const at = pings.findIndex((ping) => ping.equals(payload));
      if (at >= 0) pings.splice(at, 1);
      return at >= 0;
    }
    if (type === 'ping') return false;
    if (length > payload.length || messages.some((message) => message.equals(payload))) return true;
    // Of a frame that announces more than it holds, nothing may be all that is left.
    if (payload.length === 0) return announces;
    return payload.length >= MIN_PART_BYTES && whole.includes(payload);
  });
}

/** All frames that the script sends. */
function framesOf({ opening, send }: ExchangeScript): readonly WireFrame[] {
  const sent = send.flatMap((action) => (action.do === 'frames' ? action.frames : []));
  return [...(opening.early ?? []), ...sent];
}

/** The payloads of messages and fragments that are sent, and of the messages that are expected. */
function messagesOf(script: ExchangeScript): Buffer[] {
  const sent = framesOf(script)
    .filter(({ opcode }) => opcode <= Opcode.binary)
    .map(({ payload }) => payload);
  const expected = script.expect.flatMap(({ outcome }) => {
    if (!('received' in outcome)) return [];
    const { received } = outcome;
    if (received === 'any') return [];
    if ('last' in received) return [received.last.payload];
    const events = 'messages' in received ? received.messages : received;
    return events.filter(({ type }) => type !== 'pong').map(({ payload }) => payload);
  });
  return [...sent, ...expected];
}
