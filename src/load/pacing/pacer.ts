import { parentPort, workerData } from 'node:worker_threads';
import { now } from '../measure/clock.ts';
import { PacerCell } from './timers.ts';
import { currentThread } from '../measure/thread-usage.ts';

/**
 * The pacer thread: sleeps until the next message is due, then wakes its worker. Node's timers count
 * whole milliseconds, which would be most of the latency that is measured; spinning would take a
 * core. This takes a few microseconds for each wake-up.
 */

const { due, cells, leastMs } = workerData as {
  due: Float64Array;
  cells: Int32Array;
  leastMs: number;
};

// The worker counts this thread's CPU time to its own.
parentPort?.postMessage(currentThread());

/** When the next wake-up may be at the earliest: each costs CPU time. */
let earliestMs = 0;
while (Atomics.load(cells, PacerCell.stop) === 0) {
  const version = Atomics.load(cells, PacerCell.version);
  const time = now();
  const wait = Math.max(due[0] as number, earliestMs) - time;
  // The worker may not have handled the last wake-up yet.
  const least = Atomics.load(cells, PacerCell.posted) === 1 ? leastMs : 0;
  if (wait > 0 || least > 0) Atomics.wait(cells, PacerCell.version, version, Math.max(wait, least));
  else if (Atomics.exchange(cells, PacerCell.posted, 1) === 0) {
    earliestMs = time + leastMs;
    parentPort?.postMessage(0);
  }
}
