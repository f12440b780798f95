// Many connections: what each takes in the generator, and how long opening them takes.
import {
  GENERATOR_CORE,
  compile,
  cpuNs,
  descriptorLimit,
  folder,
  killTree,
  output,
  pssBytes,
  sleep,
  start,
  tree,
  withServer,
} from '../machine.mjs';
import { interleave, spread } from '../measure.mjs';
import { BIN } from '../ours.mjs';
import { row } from '../table.mjs';

const MANY = 10_000;
const FEW = 10;
const MOST = 33_000;
/** Descriptors besides those of the connections. */
const SPARE = 500;

const KINDS = {
  idle: ['--mode', 'idle'],
  echo: ['--rate', '1000', '--size', '32'],
};

function command(url, connections, seconds, extra) {
  return [
    ...[process.execPath, BIN, 'benchmark', '--url', url, '--connections', String(connections)],
    ...['--duration', `${seconds}s`, '--warmup', '0', '--drain', '1s', '--workers', '1'],
    ...['--output', folder('report'), '--json', ...extra],
  ];
}

/** What the C client takes to open its connections, in milliseconds of time and of CPU. */
function openByC(connections) {
  return withServer('c', async ({ port }) => {
    const seconds = 0.5;
    // Messages at 1 per second, as without a rate it would send all the time.
    const command = [compile('echo-client'), port, connections, 1, 32, seconds, 1];
    const { connectMs, connectCpuMs } = JSON.parse(
      await output(command.map(String), GENERATOR_CORE),
    );
    return { ms: connectMs, cpuMs: connectCpuMs };
  });
}

/** Milliseconds that this generator takes. */
function openByUs(connections) {
  return withServer('c', async ({ url }) => {
    const program = command(url, connections, 1, ['--mode', 'idle']);
    return JSON.parse(await output(program, GENERATOR_CORE)).measured.phases.connectMs;
  });
}

/** CPU of this generator from its start until its connections are open, in milliseconds. */
function cpuByUs(connections) {
  return withServer('c', async (echo) => {
    const run = start(GENERATOR_CORE, command(echo.url, connections, 1, ['--mode', 'idle']));
    await opened(echo, connections, run);
    const ns = cpuNs(tree(run.pid));
    await run.ended;
    return ns / 1e6;
  });
}

/** How fast 10,000 connections are opened, beside the C client. */
export async function opening({ rounds: count, say }) {
  if (descriptorLimit() < MANY + SPARE) {
    const why = `ulimit -n is ${descriptorLimit()}, ${MANY + SPARE} are needed`;
    return [row('opening', `${MANY} connections`, undefined, { why })];
  }
  const arms = [
    { name: 'ours', run: async () => ({ ms: await openByUs(MANY) }) },
    { name: 'C client', run: () => openByC(MANY) },
    // On its own, as looking for the end takes time. The start of the program is left out.
    {
      name: 'ours, CPU',
      run: async () => ({ cpuMs: (await cpuByUs(MANY)) - (await cpuByUs(FEW)) }),
    },
  ];
  const { rounds, failed } = await interleave(arms, count, say);
  const of = (name, figure) => spread(rounds, (round) => round.get(name)?.[figure]);
  const ratio = (ours, figure) =>
    spread(rounds, (round) => round.get(ours)?.[figure] / round.get('C client')?.[figure]);
  const why = (name) => failed.get(name) ?? failed.get('C client');
  return [
    row('opening', 'ours: 10,000 connections, ms', of('ours', 'ms'), {
      digits: 0,
      why: why('ours'),
    }),
    row('opening', 'C client: 10,000 connections, ms', of('C client', 'ms'), {
      digits: 0,
      why: why('C client'),
    }),
    row('opening', '10,000 connections, ours / C client', ratio('ours', 'ms'), {
      atMost: 1,
      why: why('ours'),
    }),
    row('opening', 'CPU of 10,000 connections, ours / C client', ratio('ours, CPU', 'cpuMs'), {
      why: why('ours, CPU'),
    }),
  ];
}

/** Resident bytes of the generator while its connections are open, and the time to open them. */
function hold(connections, extra) {
  return withServer('c', async (echo) => {
    const run = start(GENERATOR_CORE, command(echo.url, connections, 3, extra));
    await opened(echo, connections, run);
    await sleep(1500);
    const bytes = pssBytes(tree(run.pid));
    const { stdout, stderr } = await run.ended;
    try {
      return { bytes, openS: JSON.parse(stdout).measured.phases.connectMs / 1000 };
    } catch {
      throw new Error(stderr.slice(-500));
    }
  });
}

/** Seconds between the first and the last connection, by the server's count. */
async function opened(echo, wanted, ...runs) {
  let over = false;
  for (const run of runs) void run.ended.then(() => (over = true));
  let first;
  for (;;) {
    const { opened: now, at } = await echo.count();
    if (now > 0) first ??= at;
    if (now >= wanted) return (at - first) / 1000;
    if (over || (first && at - first > 120_000)) {
      throw new Error(
        `${now} of ${wanted} connections: ${runs.map((r) => r.output.stderr.slice(-400)).join(' ')}`,
      );
    }
    await sleep(20);
  }
}

export async function memory({ rounds: count, say }) {
  if (descriptorLimit() < MANY + SPARE) {
    const why = `ulimit -n is ${descriptorLimit()}, ${MANY + SPARE} are needed`;
    return [row('memory', `${MANY} connections`, undefined, { why })];
  }
  const arms = Object.entries(KINDS).map(([name, extra]) => ({
    name,
    run: async () => {
      const few = await hold(FEW, extra);
      const many = await hold(MANY, extra);
      return {
        openS: many.openS,
        bytes: many.bytes,
        each: (many.bytes - few.bytes) / (MANY - FEW),
      };
    },
  }));
  const { rounds, failed } = await interleave(arms, count, say);
  return arms.flatMap(({ name }) => {
    const of = (figure) => spread(rounds, (round) => figure(round.get(name) ?? {}));
    const why = failed.get(name);
    return [
      row(
        'memory',
        `${name}, 10,000 connections: KiB each`,
        of((r) => r.each / 1024),
        { atMost: 8, why },
      ),
      row(
        'memory',
        `${name}, 10,000 connections: generator, MB`,
        of((r) => r.bytes / 1e6),
        { digits: 0, why },
      ),
      row(
        'memory',
        `${name}, 10,000 connections: opened in s`,
        of((r) => r.openS),
        { atMost: 2, why },
      ),
    ];
  });
}

/**
 * 33,000 connections to one port: more than one address has ports. Where a process may not have as
 * many descriptors, two generators share them, and two processes the port.
 */
export async function ports({ rounds: count, say }) {
  const shares = descriptorLimit() >= MOST + SPARE ? 1 : 2;
  if (descriptorLimit() < MOST / shares + SPARE) {
    const why = `ulimit -n is ${descriptorLimit()}, ${MOST / shares + SPARE} are needed`;
    return [row('ports', `${MOST} connections to one port`, undefined, { why })];
  }
  const run = () =>
    withServer(
      'c',
      async (echo) => {
        const runs = Array.from({ length: shares }, (_, share) => {
          const sources = [1, 2, 3].map((last) => `127.0.${share + 1}.${last}`).join(',');
          const extra = ['--mode', 'idle', '--source-ip', sources];
          return start(null, command(echo.url, MOST / shares, 4, extra));
        });
        try {
          return { openS: await opened(echo, MOST, ...runs) };
        } finally {
          for (const { pid } of runs) killTree(pid, 'SIGKILL');
        }
      },
      { processes: shares, core: null },
    );
  const { rounds, failed } = await interleave([{ name: 'ours', run }], count, say);
  return [
    row(
      'ports',
      `33,000 connections to one port, ${shares} generator process(es): opened in s`,
      spread(rounds, (round) => round.get('ours')?.openS),
      { atMost: 5, why: failed.get('ours') },
    ),
  ];
}
