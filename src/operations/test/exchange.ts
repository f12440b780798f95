import { randomBytes } from 'node:crypto';
import { CloseCode } from '../../protocol/index.ts';
import type { ConnectionEvent } from '../../protocol/index.ts';
import type { Channel } from '../../transport/index.ts';
import { CheckFailure, CheckRemark } from './check.ts';
import type { CheckContext } from './check.ts';
import { describeClose, describeMessage, violationEnd, expectEvent } from './expect.ts';

type CloseEvent = Extract<ConnectionEvent, { type: 'close' }>;
type MessageEvent = Extract<ConnectionEvent, { type: 'message' }>;

export interface Exchange {
  /** Sends the message; its bytes are `data`. */
  readonly send: () => Promise<boolean>;
  readonly data: Buffer;
  /** Set to check the opcode of the echo, too. */
  readonly opcode?: 1 | 2;
  /** Called with the echo. */
  readonly onEcho?: (event: MessageEvent) => void;
  /** Called with the payload of each pong before the end. */
  readonly onPong?: (payload: Buffer) => void;
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
  const { data, opcode, onPong } = message;
  if (!context.session.echo.echoes) return expectAlive(context, channel, onPong);
  const echo = await expectEcho(context, channel, {
    bytes: data.length,
    isEcho: (event) => event.data.equals(data) && (opcode === undefined || event.opcode === opcode),
    isPart: (event) => event.data.length >= MIN_PART_BYTES && data.includes(event.data),
    onPong,
  });
  message.onEcho?.(echo);
  return `${data.length} bytes came back`;
}

/** A message this short may hold octets of another one by chance. */
const MIN_PART_BYTES = 4;

export interface ExpectedEcho {
  readonly bytes: number;
  readonly isEcho: (event: MessageEvent) => boolean;
  /** Whether a message is what is left of the echo, and not one of the server's own. */
  readonly isPart?: (event: MessageEvent) => boolean;
  readonly onPong?: ((payload: Buffer) => void) | undefined;
}

/**
 * Waits for the echo of a message. Messages of the server's own, as a greeting or a heartbeat, may
 * come before it.
 *
 * Throws if it does not come: a CheckFailure where an echo is owed, else a CheckRemark, unless the
 * server does not answer pings any more either.
 */
export async function expectEcho(
  context: CheckContext,
  channel: Channel,
  { bytes, isEcho, isPart, onPong }: ExpectedEcho,
): Promise<MessageEvent> {
  const { owed } = context.session.echo;
  try {
    return await expectEvent(channel, {
      type: 'message',
      what: `its echo of ${bytes} bytes`,
      // What is left is for the question whether the server is alive.
      timeoutMs: owed ? context.leftMs() : context.leftMs() / 2,
      match: isEcho,
      onPong,
      onOther: (event) => {
        if (isPart?.(event) !== true) return;
        throw new NoEcho(
          `the server answered ${describeMessage(event)}, expected the same ${bytes} bytes back`,
        );
      },
      onSilence: (seen) => {
        throw new NoEcho(seen);
      },
      onClose: (event) => {
        remarkOnRefusal(context, event, bytes);
      },
    });
  } catch (error) {
    if (!(error instanceof NoEcho)) throw error;
    if (owed) throw new CheckFailure(error.message);
    await expectAlive(context, channel, onPong);
    throw new CheckRemark('warn', `${error.message} ${NOT_OWED}`);
  }
}

/** What came in place of an echo breaks no rule of the RFC. */
class NoEcho extends Error {}

export const NOT_OWED = '(with --echo a failure: no RFC makes a server echo)';

/** A message that may well be over a limit. */
const LARGE_BYTES = 4096;

/** Throws where no MUST forbids a server to close over a legal message, and it says so. */
function remarkOnRefusal(context: CheckContext, event: CloseEvent, bytes: number): void {
  const seen = `${describeClose(event)} over a message of ${bytes} bytes`;
  const refusals: readonly number[] = [CloseCode.unsupportedData, CloseCode.policyViolation];
  if (refusals.includes(event.code)) {
    throw new CheckRemark('info', `${seen}, which 7.4.1 has the code for`);
  }
  const isStated = context.session.limit !== undefined;
  if (isStated && (context.session.echo.owed || event.code === CloseCode.messageTooBig)) return;
  if (event.code === CloseCode.messageTooBig) {
    throw new CheckRemark('info', `${seen}: its own limit is lower, and no RFC sets one`);
  }
  if (event.code === CloseCode.abnormal && bytes >= LARGE_BYTES) {
    throw new CheckRemark('warn', `${seen}: a limit of its own, or a fault`);
  }
  // No MUST forbids a server to end a connection, whatever it does not say about it.
  if (!context.session.echo.owed) throw new CheckRemark('warn', `${seen} ${NOT_OWED}`);
}

/** Without an answer to pings, a server that stays connected for so long counts as alive. */
const QUIET_MS = 300;

/**
 * Waits for a pong after a legal message or, if the server does not answer pings, for a while in
 * which it does not close. Throws a CheckFailure otherwise.
 */
export async function expectAlive(
  context: CheckContext,
  channel: Channel,
  onPong?: (payload: Buffer) => void,
): Promise<string> {
  const token = randomBytes(8);
  const waitMs = context.session.answersPings
    ? context.leftMs()
    : Math.min(QUIET_MS, context.leftMs());
  const deadline = performance.now() + waitMs;
  if (context.session.answersPings) void channel.sendPing(token);
  for (;;) {
    const event = await channel.next(Math.max(0, deadline - performance.now()));
    if (event === undefined) return onSilence(context, waitMs);
    if (event.type === 'pong') onPong?.(event.data);
    if (event.type === 'pong' && event.data.equals(token))
      return 'still connected: it answers a ping';
    if (event.type === 'violation') throw violationEnd(event);
    if (event.type !== 'close') continue;
    if (isRefusal(event.code)) return `${describeClose(event)}, which is a valid refusal`;
    // No MUST forbids a server to end a connection, whatever it does not say about it.
    throw new CheckRemark('warn', `${describeClose(event)} after a legal message`);
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
    CloseCode.messageTooBig,
  ];
  return refusals.includes(code) || code >= 3000;
}
