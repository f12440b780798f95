import { parentPort, workerData } from 'node:worker_threads';
import { now } from './clock.ts';
import { currentThread } from './thread-cpu.ts';

/**
 * The pacer thread: sleeps until the next message is due and wakes its worker then. Node's timers
 * count whole milliseconds, which would be most of the latency that is measured; to spin would take
 * a core. This takes a few microseconds for each wake-up.
 */

/** Shortest sleep: what is due within it leaves together. */
const LEAST_MS = 0.2;

/** `cells[0]`: 1 asks to stop; `cells[1]`: 1 while a wake-up is under way. */
const { due, cells } = workerData as { due: Float64Array; cells: Int32Array };

// The worker counts this thread's CPU time to its own.
parentPort?.postMessage(currentThread());

while (Atomics.load(cells, 0) === 0) {
  const wait = Math.max(LEAST_MS, (due[0] as number) - now());
  Atomics.wait(cells, 0, 0, wait);
  if ((due[0] as number) <= now() && Atomics.exchange(cells, 1, 1) === 0) {
    parentPort?.postMessage(0);
  }
}
