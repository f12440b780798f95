import type { CloseStatus } from '../protocol/index.ts';
import type { Channel } from '../transport/index.ts';
import { CheckFailure } from './check.ts';
import { describeViolation } from './expect.ts';

/** How a server reacted to something it has to refuse. */
export type Reaction = CloseStatus | 'dropped' | 'stayed';

/**
 * Waits until the server closes, drops the connection, or has done neither for `timeoutMs`.
 *
 * Messages and pongs that come before are passed over: the server may not have read it all yet.
 */
export async function reactionOf(channel: Channel, timeoutMs: number): Promise<Reaction> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const event = await channel.next(Math.max(0, deadline - performance.now()));
    if (event === undefined) return channel.finished ? 'dropped' : 'stayed';
    if (event.type === 'violation') throw new CheckFailure(describeViolation(event));
    if (event.type === 'close') {
      return event.code === 1006 ? 'dropped' : { code: event.code, reason: event.reason };
    }
  }
}
