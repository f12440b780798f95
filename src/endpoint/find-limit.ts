import { CloseCode } from '../protocol/index.ts';
import type { Turn } from './check.ts';
import { silentReactionOf } from './illegal.ts';
import { largeMessage, take } from './large-message.ts';

/** How long a server that does not refuse a length is waited for. */
const WAIT_MS = 60;

/**
 * Finds the largest message a server does not refuse by its announced length, below `refused`.
 *
 * Each step of the search announces a length on a new connection and sends 1 KiB of it.
 */
export async function findLimit(turn: Turn, refused: number): Promise<number> {
  let low = 0;
  let high = refused;
  while (high - low > 1 && turn.leftMs() > 0) {
    const middle = Math.floor((low + high) / 2);
    if (await refuses(turn, middle)) high = middle;
    else low = middle;
  }
  return low;
}

async function refuses(turn: Turn, length: number): Promise<boolean> {
  await using channel = await turn.dial();
  const chunks = largeMessage(length);
  await channel.writeRaw(take(chunks, 2));
  const reaction = await silentReactionOf(channel, WAIT_MS);
  channel.terminate();
  return typeof reaction === 'object' && reaction.code === CloseCode.messageTooBig;
}
