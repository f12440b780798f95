import { CloseCode } from '../../protocol/index.ts';
import type { Turn } from './check.ts';
import { silentReactionOf } from './reaction.ts';
import { largeMessage, take } from './large-message.ts';

/** How long a refusal of a length is waited for: at least, at most, and by the time of the first. */
const MIN_WAIT_MS = 100;
const MAX_WAIT_MS = 1000;
const WAIT_FACTOR = 20;

/**
 * Finds the largest message a server does not refuse by its announced length, below `refused`.
 *
 * Each step of the search announces a length on a new connection and sends 1 KiB of it.
 */
export async function findLimit(turn: Turn, refused: number): Promise<number> {
  const startedAt = performance.now();
  await refuses(turn, refused, MAX_WAIT_MS);
  const tookMs = performance.now() - startedAt;
  const waitMs = Math.min(MAX_WAIT_MS, Math.max(MIN_WAIT_MS, WAIT_FACTOR * tookMs));
  let low = 0;
  let high = refused;
  while (high - low > 1 && turn.leftMs() > 0) {
    const middle = Math.floor((low + high) / 2);
    if (await refuses(turn, middle, waitMs)) high = middle;
    else low = middle;
  }
  return low;
}

async function refuses(turn: Turn, length: number, waitMs: number): Promise<boolean> {
  await using channel = await turn.dial();
  void channel.writeRaw(take(largeMessage(length), 2));
  const reaction = await silentReactionOf(channel, waitMs);
  channel.terminate();
  return typeof reaction === 'object' && reaction.code === CloseCode.messageTooBig;
}
