import type { Step } from './scenario.ts';

/** Messages with a reply that one pass through `steps` sends. */
export function messagesOf(steps: readonly Step[]): number {
  let count = 0;
  for (const step of steps) {
    if (step.kind === 'send' && step.awaited) count += 1;
    if (step.kind === 'loop') {
      count += step.messages * (step.until.kind === 'times' ? step.until.times : 1);
    }
  }
  return count;
}
