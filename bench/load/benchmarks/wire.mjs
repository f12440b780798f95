// Whether the round-trip times that we report are those of the packets, by a capture of tshark's.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { which } from '../../programs.mjs';
import { SERVER_CORE, output, scratch, sleep, start } from '../machine.mjs';
import { interleave, measure, spread } from '../measure.mjs';
import { ours } from '../ours.mjs';
import { row } from '../table.mjs';
import { roundTrips } from '../wire/round-trips.mjs';

const LOAD = { rate: 20_000, connections: 64, bytes: 32 };

export async function wire({ rounds: count, say }) {
  const capturer = ['tcpdump', 'dumpcap'].find(which);
  if (!which('tshark') || !capturer) {
    const why = 'tshark and tcpdump are needed (Debian: `apt-get install tshark tcpdump`)';
    return [row('wire', 'p99 against tshark', undefined, { why })];
  }
  const { rounds, failed } = await interleave([{ name: 'ours', run: captured }], count, say);
  const of = (figure) => spread(rounds, (round) => figure(round.get('ours') ?? {}));
  const why = failed.get('ours');
  return [
    row(
      'wire',
      'round trips in the packets, of those reported, %',
      of((r) => r.found),
      { digits: 3, why },
    ),
    row(
      'wire',
      'p50 by the report (service), ms',
      of((r) => r.serviceP50),
      { digits: 3, why },
    ),
    row(
      'wire',
      'p50 by the packets, ms',
      of((r) => r.wireP50),
      { digits: 3, why },
    ),
    row(
      'wire',
      'p99 by the report (service), ms',
      of((r) => r.serviceP99),
      { digits: 3, why },
    ),
    row(
      'wire',
      'p99 by the packets, ms',
      of((r) => r.wireP99),
      { digits: 3, why },
    ),
    row(
      'wire',
      'p99: distance, %',
      of((r) => 100 * Math.abs(r.serviceP99 / r.wireP99 - 1)),
      { atMost: 5, why },
    ),
  ];
}

/**
 * The messages of the measured phase alone: the last that were sent. The capture
 * runs over the whole of the run, from before the first connection, on the server's core: what it holds
 * up there is in the packets, too.
 */
async function captured() {
  const file = path.join(scratch, 'wire.pcap');
  let port;
  let capture;
  const result = await measure(ours(), LOAD, {
    server: 'ws',
    before: async (echo) => {
      ({ port } = echo);
      const filter = ['tcp', 'port', String(port)];
      const flags = ['-i', 'lo', '-U', '-B', '262144', '-w', file];
      capture = start(SERVER_CORE, ['tcpdump', '-Z', 'root', ...flags, ...filter]);
      await until(() => capture.output.stderr.includes('listening on'));
    },
  });
  await sleep(300);
  capture.child.kill('SIGINT');
  const { stderr } = await capture.ended;
  const dropped = Number(/(\d+) packets dropped by kernel/.exec(stderr)?.[1]);
  if (dropped !== 0) throw new Error(`the capture lost ${dropped} packets`);
  const fields = ['frame.time_epoch', 'tcp.stream', 'tcp.srcport', 'tcp.seq', 'tcp.payload'];
  const text = path.join(scratch, 'wire.tsv');
  await output([
    ...[
      'sh',
      '-c',
      `exec tshark -r "$0" -Y tcp.len\\>0 -o tcp.desegment_tcp_streams:FALSE --disable-protocol http --disable-protocol websocket -T fields "$@" > '${text}'`,
    ],
    ...[file, ...fields.flatMap((field) => ['-e', field])],
  ]);
  const { messages } = result.report.measured;
  const times = roundTrips(readFileSync(text, 'latin1'), port)
    .slice(-messages.sent)
    .filter((ms) => ms !== undefined)
    .sort((a, b) => a - b);
  const at = (share) => times[Math.min(times.length - 1, Math.floor(share * times.length))];
  return {
    serviceP50: result.serviceP50,
    serviceP99: result.serviceP99,
    wireP50: at(0.5),
    wireP99: at(0.99),
    found: (100 * times.length) / messages.received,
  };
}

async function until(condition) {
  for (let i = 0; i < 100 && !condition(); i++) await sleep(50);
}
