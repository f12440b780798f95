import { randomBytes } from 'node:crypto';
import { CloseCode } from '../../protocol/index.ts';
import type { ConnectionEvent } from '../../protocol/index.ts';
import type { Channel } from '../../transport/index.ts';
import { CheckFailure } from './check.ts';
import type { Turn } from './check.ts';
import { describeClose, describeMessage, describeViolation, expectEvent } from './expect.ts';

type MessageEvent = Extract<ConnectionEvent, { type: 'message' }>;

export interface Exchange {
  /** Sends the message; its bytes are `data`. */
  readonly send: () => Promise<boolean>;
  readonly data: Buffer;
  /** Set where the opcode of the echo is part of what is checked. */
  readonly opcode?: 1 | 2;
  /** Told of the echo as it arrived. */
  readonly onEcho?: (event: MessageEvent) => void;
}

/**
 * Sends a message and judges what follows: an echo server has to send it back, any other has to
 * stay there or close with a code that says what it dislikes. Returns what was seen.
 */
export async function exchange(turn: Turn, channel: Channel, message: Exchange): Promise<string> {
  void message.send();
  if (!turn.session.echo.echoes) return expectAlive(turn, channel);
  const size = `${message.data.length} bytes`;
  const echo = await expectEvent(channel, {
    type: 'message',
    what: `its echo of ${size}`,
    timeoutMs: turn.leftMs(),
    match: (event) => isEcho(event, message),
    onOther: (event) => {
      if (turn.session.echo.chatty) return;
      throw new CheckFailure(
        `the server answered ${describeMessage(event)}, expected the same ${size} back`,
      );
    },
  });
  message.onEcho?.(echo);
  return `${size} came back`;
}

function isEcho(event: MessageEvent, { data, opcode }: Exchange): boolean {
  return event.data.equals(data) && (opcode === undefined || event.opcode === opcode);
}

/** How long a server that does not answer pings has to stay quiet to count as alive. */
const QUIET_MS = 300;

/**
 * Waits for a sign of life after a legal message: a pong, or, from a server that leaves pings
 * unanswered, that it does not close. Throws a CheckFailure otherwise.
 */
export async function expectAlive(turn: Turn, channel: Channel): Promise<string> {
  const token = randomBytes(8);
  const waitMs = turn.session.answersPings ? turn.leftMs() : Math.min(QUIET_MS, turn.leftMs());
  const deadline = performance.now() + waitMs;
  if (turn.session.answersPings) void channel.sendPing(token);
  for (;;) {
    const event = await channel.next(Math.max(0, deadline - performance.now()));
    if (event === undefined) return judgeSilence(turn, waitMs);
    if (event.type === 'pong' && event.data.equals(token)) return 'still there: it answers a ping';
    if (event.type === 'violation') throw new CheckFailure(describeViolation(event));
    if (event.type !== 'close') continue;
    if (isPolite(event.code)) return `${describeClose(event)}, which is a refusal in order`;
    throw new CheckFailure(`${describeClose(event)} upon a legal message`);
  }
}

function judgeSilence(turn: Turn, waitMs: number): string {
  if (!turn.session.answersPings) return 'still there: it did not close';
  throw new CheckFailure(`no sign of life within ${Math.ceil(waitMs)} ms`);
}

/** Whether a code says that the message was understood and not wanted (RFC 6455 section 7.4.1). */
function isPolite(code: number): boolean {
  const refusals: readonly number[] = [
    CloseCode.normal,
    CloseCode.unsupportedData,
    CloseCode.invalidPayload,
    CloseCode.policyViolation,
  ];
  return refusals.includes(code) || code >= 3000;
}
