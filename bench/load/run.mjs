// node bench/load/run.mjs [benchmark...] [--rounds N] [--peers a,b] [--quiet]: our benchmark against
// other load generators, and against bars. Build first: the command line of dist/ is measured.
// Prints every figure with its bar, and at the end all of them in Markdown; exits with 1 when one is
// below its bar. A peer that is not here is named with the reason: ./peers/install.mjs brings some.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { closed1, closed16 } from './benchmarks/closed.mjs';
import { memory, opening, ports } from './benchmarks/memory.mjs';
import { open } from './benchmarks/open.mjs';
import { stall, stalls } from './benchmarks/stall.mjs';
import { wire } from './benchmarks/wire.mjs';
import { workers } from './benchmarks/workers.mjs';
import { canPin, descriptorLimit, loadAverage } from './machine.mjs';
import { peers } from './peers/index.mjs';
import { markdown } from './table.mjs';

const BENCHMARKS = {
  'closed-1': closed1,
  'closed-16': closed16,
  open,
  wire,
  stall,
  stalls,
  memory,
  opening,
  ports,
  workers,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    peers: { type: 'string' },
    quiet: { type: 'boolean', default: false },
  },
});
const unknown = positionals.filter((name) => !(name in BENCHMARKS));
if (unknown.length > 0) {
  console.error(
    `no benchmark ${unknown.join(', ')}; there are ${Object.keys(BENCHMARKS).join(', ')}`,
  );
  process.exit(2);
}
const wanted = positionals.length > 0 ? positionals : Object.keys(BENCHMARKS);

console.log(
  `node ${process.version}, ${cpus()[0].model}, ${cpus().length} cores, ulimit -n ${descriptorLimit()}; ` +
    (canPin ? 'server on core 0, generator on core 1' : 'no taskset: nothing is pinned'),
);
for (const { name, missing, version } of peers) {
  console.log(`${name}: ${missing() ?? version()}`);
}

const options = {
  rounds: Number(values.rounds),
  only: values.peers?.split(','),
  say: (name, figures) => {
    if (!values.quiet) console.error(`  ${name.padEnd(10)} ${brief(figures)}`);
  },
};
const all = [];
for (const name of wanted) {
  console.log(`\n${name} (load average ${loadAverage()})`);
  const rows = await BENCHMARKS[name](options);
  for (const { what, figure, bar, verdict } of rows) {
    console.log(`  ${what.padEnd(52)} ${figure.padEnd(36)} ${bar.padEnd(12)} ${verdict}`);
  }
  all.push(...rows);
}
console.log(`\n${markdown(all)}`);
const below = all.filter(({ verdict }) => verdict === 'BELOW THE BAR').length;
const met = all.filter(({ verdict }) => verdict === 'ok').length;
const open_ = all.filter(({ bar, figure }) => bar !== '' && figure === '-').length;
console.log(`\n${met} bars met, ${below} missed, ${open_} not measured`);
process.exitCode = below === 0 ? 0 : 1;

function brief(figures) {
  return Object.entries(figures)
    .filter(([, value]) => typeof value !== 'object')
    .map(
      ([key, value]) =>
        `${key} ${typeof value === 'number' ? Number(value.toPrecision(4)) : value}`,
    )
    .join(', ');
}
