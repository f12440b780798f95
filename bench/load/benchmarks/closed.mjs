// Closed loop: how many round trips a core carries, against the peers and against C.
import { interleave, measure, spread } from '../measure.mjs';
import { ours } from '../ours.mjs';
import { peers } from '../peers/index.mjs';
import { present, row } from '../table.mjs';
import { baseline } from '../baseline/index.mjs';

const CONNECTIONS = 64;
const BYTES = 32;

/** What the C client reaches where ours has to reach a million. */
const C_AT_DEPTH_16 = 2_500_000;
const OURS_AT_DEPTH_16 = 1_000_000;

async function closed(depth, { rounds, say, only }) {
  const load = { connections: CONNECTIONS, depth, bytes: BYTES };
  const { able, skipped } = present(peers, load, only);
  const arms = [ours(), baseline, ...able].map((peer) => ({
    name: peer.name,
    run: () => measure(peer, load),
  }));
  const result = await interleave(arms, rounds, say);
  return { ...result, skipped };
}

/** A row for each arm, its rate and cost; then the bars, of ratios within each round. */
function rows(benchmark, { rounds, failed, skipped }, bars) {
  const names = [...new Set(rounds.flatMap((round) => [...round.keys()]))];
  const figures = names.flatMap((name) => [
    row(
      benchmark,
      `${name}: round trips/s`,
      spread(rounds, (r) => r.get(name)?.rate),
      { digits: 0 },
    ),
    row(
      benchmark,
      `${name}: CPU per message, us`,
      spread(rounds, (r) => r.get(name)?.cpuUs),
      {
        digits: 2,
      },
    ),
  ]);
  const notes = [...failed, ...skipped].map(([name, why]) =>
    row(benchmark, name, undefined, { why }),
  );
  return [...figures, ...bars, ...notes];
}

const ratio = (peer) => (round) => round.get('ours')?.rate / round.get(peer)?.rate;

/** The same ratio by what a message costs, which holds on a machine that does other things, too. */
const thrift = (peer) => (round) => round.get(peer)?.cpuUs / round.get('ours')?.cpuUs;
const byCpu = (benchmark, { rounds }) =>
  ['k6', 'C client'].map((peer) =>
    row(benchmark, `ours / ${peer}, messages for the same CPU time`, spread(rounds, thrift(peer))),
  );

export async function closed1(options) {
  const result = await closed(1, options);
  return rows('closed-1', result, [
    row('closed-1', 'ours / k6', spread(result.rounds, ratio('k6')), { atLeast: 4 }),
    row('closed-1', 'ours / C client', spread(result.rounds, ratio('C client')), { atLeast: 0.75 }),
    ...byCpu('closed-1', result),
  ]);
}

export async function closed16(options) {
  const result = await closed(16, options);
  const c = spread(result.rounds, (round) => round.get('C client')?.rate);
  const share = c && Math.min(1, c.median / C_AT_DEPTH_16);
  return rows('closed-16', result, [
    row('closed-16', 'ours / k6', spread(result.rounds, ratio('k6')), { atLeast: 30 }),
    row(
      'closed-16',
      'ours: round trips/s, against a million where C has 2.5',
      spread(result.rounds, (round) => round.get('ours')?.rate),
      { atLeast: Math.round(OURS_AT_DEPTH_16 * (share ?? 1)), digits: 0 },
    ),
    ...byCpu('closed-16', result),
  ]);
}
