import { randomBytes } from 'node:crypto';
import { CloseCode } from '../../protocol/index.ts';
import type { ConnectionEvent } from '../../protocol/index.ts';
import type { Channel } from '../../transport/index.ts';
import { CheckFailure } from './check.ts';
import type { CheckContext } from './check.ts';
import { describeClose, describeMessage, describeViolation, expectEvent } from './expect.ts';

type MessageEvent = Extract<ConnectionEvent, { type: 'message' }>;

export interface Exchange {
  /** Sends the message; its bytes are `data`. */
  readonly send: () => Promise<boolean>;
  readonly data: Buffer;
  /** Set to check the opcode of the echo, too. */
  readonly opcode?: 1 | 2;
  /** Called with the echo. */
  readonly onEcho?: (event: MessageEvent) => void;
}

/**
 * Sends a message and checks the reaction: an echo server has to send it back, any other has to stay
 * connected or close with a code of refusal. Returns what was seen.
 */
export async function exchange(
  context: CheckContext,
  channel: Channel,
  message: Exchange,
): Promise<string> {
  void message.send();
  if (!context.session.echo.echoes) return expectAlive(context, channel);
  const { data, opcode } = message;
  const echo = await expectEcho(
    context,
    channel,
    data.length,
    (event) => event.data.equals(data) && (opcode === undefined || event.opcode === opcode),
  );
  message.onEcho?.(echo);
  return `${data.length} bytes came back`;
}

/** Waits for the echo of a message of `bytes`; throws a CheckFailure for anything else. */
export function expectEcho(
  context: CheckContext,
  channel: Channel,
  bytes: number,
  isEcho: (event: MessageEvent) => boolean,
): Promise<MessageEvent> {
  return expectEvent(channel, {
    type: 'message',
    what: `its echo of ${bytes} bytes`,
    timeoutMs: context.leftMs(),
    match: isEcho,
    onOther: (event) => {
      if (context.session.echo.chatty) return;
      throw new CheckFailure(
        `the server answered ${describeMessage(event)}, expected the same ${bytes} bytes back`,
      );
    },
  });
}

/** Without an answer to pings, a server that stays connected for so long counts as alive. */
const QUIET_MS = 300;

/**
 * Waits for a pong after a legal message or, if the server does not answer pings, for a while in
 * which it does not close. Throws a CheckFailure otherwise.
 */
export async function expectAlive(context: CheckContext, channel: Channel): Promise<string> {
  const token = randomBytes(8);
  const waitMs = context.session.answersPings
    ? context.leftMs()
    : Math.min(QUIET_MS, context.leftMs());
  const deadline = performance.now() + waitMs;
  if (context.session.answersPings) void channel.sendPing(token);
  for (;;) {
    const event = await channel.next(Math.max(0, deadline - performance.now()));
    if (event === undefined) return onSilence(context, waitMs);
    if (event.type === 'pong' && event.data.equals(token))
      return 'still connected: it answers a ping';
    if (event.type === 'violation') throw new CheckFailure(describeViolation(event));
    if (event.type !== 'close') continue;
    if (isRefusal(event.code)) return `${describeClose(event)}, which is a valid refusal`;
    throw new CheckFailure(`${describeClose(event)} after a legal message`);
  }
}

function onSilence(context: CheckContext, waitMs: number): string {
  if (!context.session.answersPings) return 'still connected: it did not close';
  throw new CheckFailure(`no pong within ${Math.ceil(waitMs)} ms`);
}

/** Whether a code refuses a message that is legal (RFC 6455 section 7.4.1). */
function isRefusal(code: number): boolean {
  const refusals: readonly number[] = [
    CloseCode.normal,
    CloseCode.unsupportedData,
    CloseCode.invalidPayload,
    CloseCode.policyViolation,
  ];
  return refusals.includes(code) || code >= 3000;
}
