import type { BenchmarkReport } from '../../report.ts';

export type Mode = BenchmarkReport['mode'];

/** What a run of that mode sends and waits for. */
export function sentOf(mode: Mode): 'messages' | 'handshakes' {
  return mode === 'connect' ? 'handshakes' : 'messages';
}
