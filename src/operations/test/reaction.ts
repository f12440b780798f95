import { randomBytes } from 'node:crypto';
import type { CloseStatus } from '../../protocol/index.ts';
import type { Channel } from '../../transport/index.ts';
import { CheckFailure } from './check.ts';
import { describeViolation } from './expect.ts';

/** How a server reacted to something it has to refuse. */
export type Reaction = CloseStatus | 'dropped' | 'stayed';

/** How long a server may take to close before it is asked, by a ping, whether it went on. */
const ASK_AFTER_MS = 200;

/** How long after its pong a server may still close: it may answer pings ahead of messages. */
const AFTER_PONG_MS = 300;

/**
 * Waits until the server closes or drops the connection, after a whole message it has to refuse.
 *
 * A server that answers a ping instead has gone on; that ends the wait early.
 */
export async function reactionOf(channel: Channel, timeoutMs: number): Promise<Reaction> {
  const deadline = performance.now() + timeoutMs;
  const early = await silentReactionOf(channel, Math.min(ASK_AFTER_MS, timeoutMs));
  if (early !== 'stayed') return early;
  const token = randomBytes(8);
  void channel.sendPing(token);
  return waitForReaction(channel, deadline, token);
}

/** The same without a ping, for a server that is still in the middle of a frame. */
export async function silentReactionOf(channel: Channel, timeoutMs: number): Promise<Reaction> {
  return waitForReaction(channel, performance.now() + timeoutMs, undefined);
}

/** Messages and other pongs are passed over: the server may not have read everything yet. */
async function waitForReaction(
  channel: Channel,
  deadline: number,
  token: Buffer | undefined,
): Promise<Reaction> {
  let end = deadline;
  for (;;) {
    const event = await channel.next(Math.max(0, end - performance.now()));
    if (event === undefined) return channel.finished ? 'dropped' : 'stayed';
    if (event.type === 'violation') throw new CheckFailure(describeViolation(event));
    if (event.type === 'close') {
      return event.code === 1006 ? 'dropped' : { code: event.code, reason: event.reason };
    }
    const answered = event.type === 'pong' && token?.equals(event.data) === true;
    if (answered) end = Math.min(end, performance.now() + AFTER_PONG_MS);
  }
}
