import type { BenchmarkReport } from '../../metrics.ts';

export type Mode = BenchmarkReport['mode'];

/** What a run of that mode counts: what it sends and waits for. */
export function countedOf(mode: Mode): 'messages' | 'handshakes' | 'deliveries' {
  if (mode === 'connect') return 'handshakes';
  return mode === 'fanout' ? 'deliveries' : 'messages';
}

/** The same as a heading. */
export function countedTitle(mode: Mode): string {
  const word = countedOf(mode);
  return `${word.charAt(0).toUpperCase()}${word.slice(1)}`;
}
