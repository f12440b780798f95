// One generator against one server: what it carried by the server's count, and what that cost.
import { GENERATOR_CORE, cpuNs, killTree, sleep, start, tree, withServer } from './machine.mjs';

/** After the first messages, before anything is measured: warm-up of generator and server. */
const SETTLE_MS = 1300;

/** Of processes that take long to start, as npm's do on one core. */
const START_MS = 90_000;

/**
 * @typedef {object} Load
 * @property {number} connections
 * @property {number} [depth] closed loop: messages in flight on each connection
 * @property {number} [rate] open model: messages per second, all connections together
 * @property {number} bytes payload
 *
 * Rate and CPU are of a window in which the load flows, start and end of the generator left out;
 * latencies (milliseconds) are what it says itself. `during` is done to both within that window
 * and takes `extraMs`.
 *
 * @param {object} peer one of ./ours.mjs or ./peers/
 * @param {Load} load
 */
export function measure(
  peer,
  load,
  { server = 'c', windowMs = 2500, before, during, extraMs = 0, core = GENERATOR_CORE } = {},
) {
  return withServer(server, async (echo) => {
    const seconds = (SETTLE_MS + windowMs + extraMs) / 1000 + 1.5;
    const command = peer.command({ ...load, url: echo.url, port: echo.port, seconds });
    await before?.(echo);
    const run = start(core, command, { env: { ...process.env, ...peer.env } });
    let over = false;
    void run.ended.then(
      () => (over = true),
      () => (over = true),
    );
    await flow(echo, load, () => over, run);
    await sleep(SETTLE_MS);
    const first = await sample(echo, run.pid);
    if (during) await during(run, echo);
    await sleep(windowMs);
    const last = await sample(echo, run.pid);
    if (over || last.generatorNs < first.generatorNs) {
      throw new Error(`${peer.name} ended before it was measured: the machine is too busy`);
    }
    if (peer.endless) killTree(run.pid, 'SIGKILL');
    const result = await run.ended;
    peer.after?.();
    const messages = last.messages - first.messages;
    const ms = last.at - first.at;
    const own = await readOwn(peer, result);
    return {
      rate: (messages / ms) * 1000,
      cpuUs: (last.generatorNs - first.generatorNs) / messages / 1e3,
      cpuShare: (last.generatorNs - first.generatorNs) / ms / 1e6,
      serverUs: (last.serverNs - first.serverNs) / messages / 1e3,
      serverShare: (last.serverNs - first.serverNs) / ms / 1e6,
      ...own,
    };
  });
}

function readOwn(peer, result) {
  try {
    return peer.read(result);
  } catch (error) {
    const said = `${result.stdout.slice(-300)} ${result.stderr.slice(-700)}`;
    throw new Error(`${peer.name}: exit ${result.code}, no result: ${error.message}: ${said}`);
  }
}

async function flow(echo, { connections }, isOver, run) {
  const until = performance.now() + START_MS;
  for (;;) {
    const { opened, messages } = await echo.count();
    if (opened >= connections && messages > connections) return;
    if (isOver() || performance.now() > until) {
      const { stdout, stderr } = run.output;
      killTree(run.pid, 'SIGKILL');
      const said = `${stdout.slice(-300)} ${stderr.slice(-700)}`;
      throw new Error(`no load came: ${opened} connections, ${messages} messages: ${said}`);
    }
    await sleep(100);
  }
}

async function sample(echo, pid) {
  const count = await echo.count();
  return { ...count, generatorNs: cpuNs(tree(pid)), serverNs: cpuNs(echo.pids) };
}

/**
 * Every arm once in each round, forwards and backwards in turn, so that a machine that grows busier
 * meets all alike. An arm that fails is named with its reason, and left out once it failed twice.
 *
 * @param {{ name: string, run: () => Promise<object> }[]} arms
 * @returns {Promise<{ rounds: Map<string, object>[], failed: Map<string, string> }>}
 */
export async function interleave(arms, rounds, say = () => {}) {
  const results = [];
  const failed = new Map();
  const failures = new Map();
  for (let round = 0; round < rounds; round++) {
    const found = new Map();
    const order = round % 2 === 0 ? arms : [...arms].reverse();
    for (const { name, run } of order) {
      if (failures.get(name) === 2) continue;
      try {
        found.set(name, await run());
        say(name, found.get(name));
      } catch (error) {
        failures.set(name, (failures.get(name) ?? 0) + 1);
        failed.set(name, error.message.replaceAll(/\s+/g, ' ').slice(0, 400));
        say(name, { failed: failed.get(name) });
      }
    }
    results.push(found);
  }
  return { rounds: results, failed };
}

/** Median and extremes of a figure over the rounds in which it was measured; undefined if in none. */
export function spread(rounds, figure) {
  const values = rounds.map(figure).filter((value) => Number.isFinite(value));
  if (values.length === 0) return undefined;
  const sorted = values.sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const median =
    sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, low: sorted[0], high: sorted.at(-1), runs: sorted.length };
}
