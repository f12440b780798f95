import { randomBytes } from 'node:crypto';
import { CloseCode } from '../../protocol/index.ts';
import type { CloseStatus } from '../../protocol/index.ts';
import type { Channel } from '../../transport/index.ts';
import { fail, info, pass, warn } from './check.ts';
import type { Outcome } from './check.ts';
import { describeClose, violationEnd } from './expect.ts';

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
    if (event.type === 'violation') throw violationEnd(event);
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
  /** Whether the RFC leaves the code to the server: a MAY, not a SHOULD. */
  readonly anyCode?: boolean;
  /** Whether a client has to be told why: without a close frame it cannot tell this from a fault. */
  readonly wantsCode?: boolean;
  /** Who stated the rule, if it is not the RFC's. */
  readonly source?: string;
}

/**
 * Passes if the server failed the connection. To do so is a MUST; that a close frame says why, with
 * the code for it, is a SHOULD (7.1.7), and what fails the connection may drop TCP in its place.
 */
export function refusalOutcome(reaction: Reaction, refusal: Refusal): Outcome {
  const { what, closeCode, anyCode = false, wantsCode = false, source } = refusal;
  const expected = `expected a close with ${closeCode}${source === undefined ? '' : ` (${source})`}`;
  if (reaction === 'stayed') return fail(`the server accepted ${what}, ${expected}`);
  if (reaction === 'dropped') {
    const seen = `the server dropped the connection without a close frame after ${what}`;
    return wantsCode ? warn(`${seen}, ${expected}`) : pass(`${seen}, which 7.1.7 allows`);
  }
  if (reaction.code === closeCode) return pass(`${what} refused with ${closeCode}`);
  const seen = `${describeClose({ type: 'close', ...reaction, wasClean: true })} after ${what}`;
  return anyCode || reaction.code === CloseCode.noStatus
    ? info(`${seen}; ${closeCode} would say why`)
    : warn(`${seen}, ${expected}`);
}
