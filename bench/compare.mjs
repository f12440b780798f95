/**
 * Two ways of doing the same work, timed against each other in one process.
 *
 * They run in the order A B B A, so that a machine that grows warmer or busier meets both alike.
 * Processor time is counted, not time on the wall: others on the machine then matter less, and who
 * makes garbage pays for its collection, also where other threads collect it.
 *
 * What a side needs fresh for each run (its input is unmasked in place) is prepared outside the
 * time that is measured.
 */

const ROUNDS = 25;
const WARM_UP_ROUNDS = 5;

/**
 * @typedef {object} Side
 * @property {() => unknown} prepare makes what one run consumes; not timed
 * @property {(prepared: unknown) => number} run does the work; returns the payload bytes delivered
 *
 * @param {{ name: string, ours: Side, theirs: Side, messages: number, bytes: number }} benchmark
 */
export function compare({ name, ours, theirs, messages, bytes }) {
  const rounds = [];
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
    const times = [ours, theirs, theirs, ours].map((side) => time(side, bytes));
    if (round >= 0) rounds.push({ ours: times[0] + times[3], theirs: times[1] + times[2] });
  }
  const ratios = rounds.map((round) => round.theirs / round.ours);
  return {
    name,
    ourNs: (median(rounds.map((round) => round.ours)) / (2 * messages)) * 1e3,
    theirNs: (median(rounds.map((round) => round.theirs)) / (2 * messages)) * 1e3,
    ratio: median(ratios),
    lowest: Math.min(...ratios),
    highest: Math.max(...ratios),
  };
}

/** Microseconds of one run, which has to deliver every byte. */
function time(side, bytes) {
  const prepared = side.prepare();
  const start = process.cpuUsage();
  const delivered = side.run(prepared);
  const { user, system } = process.cpuUsage(start);
  if (delivered !== bytes) throw new Error(`${delivered} of ${bytes} bytes were delivered`);
  return user + system;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
