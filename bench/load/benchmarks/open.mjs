// Open model against the ws library: what a message costs the generator, and what a user would wait.
import { interleave, measure, spread } from '../measure.mjs';
import { ours } from '../ours.mjs';
import { peers } from '../peers/index.mjs';
import { present, row } from '../table.mjs';
import { baseline } from '../baseline/index.mjs';

const LOADS = [5000, 20_000].flatMap((rate) =>
  [64, 1000].map((connections) => ({ rate, connections, bytes: 32 })),
);

export async function open(options) {
  const rows = [];
  for (const load of LOADS) rows.push(...(await openAt(load, options)));
  return rows;
}

async function openAt(load, { rounds: count, say, only }) {
  const benchmark = `open ${load.rate / 1000}k/s x ${load.connections}`;
  const { able, skipped } = present(peers, load, only);
  const arms = [ours(), baseline, ...able].map((peer) => ({
    name: peer.name,
    run: () => measure(peer, load, { server: 'ws' }),
  }));
  const { rounds, failed } = await interleave(arms, count, say);
  const of = (name, figure) => spread(rounds, (round) => figure(round.get(name) ?? {}));
  const cost = (peer) =>
    spread(rounds, (round) => round.get('ours')?.cpuUs / round.get(peer)?.cpuUs);
  const names = [...new Set(rounds.flatMap((round) => [...round.keys()]))];
  const fast = load.rate === 20_000;
  const bar = (limits) => (fast ? limits : {});
  return [
    ...names.flatMap((name) => [
      row(
        benchmark,
        `${name}: reached, %`,
        of(name, (r) => (100 * r.rate) / load.rate),
      ),
      row(
        benchmark,
        `${name}: CPU per message, us`,
        of(name, (r) => r.cpuUs),
      ),
      row(
        benchmark,
        `${name}: p50, ms`,
        of(name, (r) => r.p50),
        { digits: 3 },
      ),
      row(
        benchmark,
        `${name}: p99, ms`,
        of(name, (r) => r.p99),
        { digits: 3 },
      ),
    ]),
    row(benchmark, 'CPU per message, ours / k6', cost('k6'), { atMost: 0.5 }),
    row(benchmark, 'CPU per message, ours / ws client', cost('ws client'), {
      atMost: 1,
      why: skipped.get('ws client') ?? failed.get('ws client'),
    }),
    row(benchmark, 'CPU per message, ours / C client with a 1 ms timer', cost('C client')),
    row(
      benchmark,
      'response p99, ours / C client with a 1 ms timer',
      spread(rounds, (round) => round.get('ours')?.p99 / round.get('C client')?.p99),
      { ...bar({ atMost: 1.5 }), why: failed.get('ours') ?? failed.get('C client') },
    ),
    row(benchmark, 'CPU per message, ours / tcpkali', cost('tcpkali'), {
      ...bar({ atMost: 2 }),
      why: skipped.get('tcpkali') ?? failed.get('tcpkali'),
    }),
    row(
      benchmark,
      'ours: reached by the report, %',
      of('ours', (r) => 100 * r.reached),
      {
        ...bar({ atLeast: 99.9 }),
      },
    ),
    row(
      benchmark,
      'ours: response p50, ms',
      of('ours', (r) => r.p50),
      {
        ...bar({ atMost: 0.3 }),
        digits: 3,
      },
    ),
    row(
      benchmark,
      'ours: response p99, ms',
      of('ours', (r) => r.p99),
      {
        ...bar({ atMost: 1.5 }),
        digits: 3,
      },
    ),
    row(
      benchmark,
      'ours: share of a core, %',
      of('ours', (r) => 100 * r.cpuShare),
      {
        ...bar({ atMost: 50 }),
        digits: 1,
      },
    ),
    ...[...failed, ...skipped].map(([name, why]) => row(benchmark, name, undefined, { why })),
  ];
}
