import { randomBytes } from 'node:crypto';
import type { CloseStatus } from '../../protocol/index.ts';
import type { Channel } from '../../transport/index.ts';
import { CheckFailure, fail, pass } from './check.ts';
import type { Outcome } from './check.ts';
import { describeClose, describeViolation } from './expect.ts';

/** How a server reacts to something that it has to refuse. */
export type Reaction = CloseStatus | 'dropped' | 'stayed';

/** Time for the server to close before a ping finds out whether it has accepted the message. */
const ASK_AFTER_MS = 200;

/** Time to close after the pong: a server may answer pings ahead of messages. */
const AFTER_PONG_MS = 300;

/**
 * Waits until the server closes or drops the connection after a complete message that it has to
 * refuse. The pong of a server that does not close ends the wait early.
 */
export async function reactionOf(channel: Channel, timeoutMs: number): Promise<Reaction> {
  const deadline = performance.now() + timeoutMs;
  const early = await silentReactionOf(channel, Math.min(ASK_AFTER_MS, timeoutMs));
  if (early !== 'stayed') return early;
  const token = randomBytes(8);
  void channel.sendPing(token);
  return waitForReaction(channel, deadline, token);
}

/** The same without a ping, while a frame is incomplete. */
export async function silentReactionOf(channel: Channel, timeoutMs: number): Promise<Reaction> {
  return waitForReaction(channel, performance.now() + timeoutMs, undefined);
}

/** Ignores messages and other pongs: the server may not have read everything yet. */
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

/** What a server has to refuse, and how. */
export interface Refusal {
  /** For the detail: `an unmasked text frame`. */
  readonly what: string;
  readonly closeCode: number;
  /** Whether the RFC allows to drop the connection without a close frame. */
  readonly mayDrop?: boolean;
  /** Where the rule comes from, if not from the RFC. */
  readonly source?: string;
}

/** Passes if the server closed with the expected code. */
export function refusalOutcome(reaction: Reaction, refusal: Refusal): Outcome {
  const { what, closeCode, mayDrop = false, source } = refusal;
  const expected = `expected a close with ${closeCode}${source === undefined ? '' : ` (${source})`}`;
  if (reaction === 'stayed') return fail(`the server accepted ${what}, ${expected}`);
  if (reaction === 'dropped') {
    const seen = `the server dropped the connection without a close frame after ${what}`;
    return mayDrop ? pass(`${seen}, which the RFC allows`) : fail(`${seen}, ${expected}`);
  }
  if (reaction.code === closeCode) return pass(`${what} refused with ${closeCode}`);
  const seen = describeClose({ type: 'close', ...reaction, wasClean: true });
  return fail(`${seen} after ${what}, ${expected}`);
}
