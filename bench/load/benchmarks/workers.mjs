// Whether a second worker carries as much as the first.
import { availableParallelism } from 'node:os';
import { interleave, measure, spread } from '../measure.mjs';
import { ours } from '../ours.mjs';
import { row } from '../table.mjs';

/** Cores that two workers, their main thread and a server need for themselves. */
const CORES = 4;

const LOAD = { connections: 64, depth: 256, bytes: 32 };

/**
 * With cores to spare, the rates of one and of two workers are compared. With fewer, the server takes
 * its time from the workers, so what a second of their CPU carries is compared: two workers that do
 * not stand in each other's way carry the same in each second, which is twice as much in all.
 */
export async function workers({ rounds: count, say }) {
  const spare = availableParallelism() >= CORES;
  const arm = (number) => ({
    name: `${number}`,
    run: () => measure(ours([], { workers: number }), LOAD, { core: null }),
  });
  const { rounds, failed } = await interleave([arm(1), arm(2)], count, say);
  const of = (figure) => spread(rounds, figure);
  const why = failed.get('1') ?? failed.get('2');
  const gain = spare
    ? of((round) => round.get('2')?.rate / round.get('1')?.rate)
    : of((round) => (2 * round.get('1')?.cpuUs) / round.get('2')?.cpuUs);
  const how = spare ? 'rate of two workers / one' : 'two workers / one, for the same CPU time each';
  return [
    ...[1, 2].flatMap((number) => [
      row(
        'workers',
        `${number} worker(s): round trips/s`,
        of((r) => r.get(`${number}`)?.rate),
        { digits: 0 },
      ),
      row(
        'workers',
        `${number} worker(s): share of a core, %`,
        of((r) => 100 * r.get(`${number}`)?.cpuShare),
        { digits: 0 },
      ),
      row(
        'workers',
        `${number} worker(s): CPU per message, us`,
        of((r) => r.get(`${number}`)?.cpuUs),
        { digits: 3 },
      ),
    ]),
    row('workers', how, gain, { atLeast: 1.7, why }),
  ];
}
