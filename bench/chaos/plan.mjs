// Which fault comes when, of a seed: the same seed gives the same plan.

/**
 * Per kind: how often it is drawn beside the others, for how many milliseconds it lasts, what it is done to
 * (`node` stands for one of the two), and what it is.
 * A short run has the first of them.
 */
export const FAULTS = {
  'kill-node': {
    ...{ weight: 3, lasts: [300, 3000], targets: ['node'] },
    what: 'a node gets kill -9, and is started again',
  },
  'restart-redis': {
    ...{ weight: 2, lasts: [0, 300], targets: ['redis'] },
    what: 'Redis gets kill -9, and is started again with its data',
  },
  'pause-redis-long': {
    ...{ weight: 1, lasts: [4500, 6000], targets: ['redis'] },
    what: 'Redis is stopped for so long that nodes go on without it (SIGSTOP)',
  },
  'cut-clients': {
    ...{ weight: 2, lasts: [0, 0], targets: [] },
    what: 'half of the connections of clients are cut',
  },
  'wipe-redis': {
    ...{ weight: 1, lasts: [0, 300], targets: ['redis'] },
    what: 'Redis gets kill -9, and is started again without its data',
  },
  deploy: {
    ...{ weight: 2, lasts: [0, 500], targets: ['node'] },
    what: 'a node gets SIGTERM, drains and is started again',
  },
  partition: {
    ...{ weight: 1, lasts: [4500, 6000], targets: ['node'] },
    what: 'nothing passes between a node and Redis, and both are there',
  },
  'pause-redis': {
    ...{ weight: 1, lasts: [300, 1200], targets: ['redis'] },
    what: 'Redis is stopped for a moment (SIGSTOP)',
  },
  'kill-nodes': {
    ...{ weight: 1, lasts: [300, 1500], targets: ['node-1', 'node-2'] },
    what: 'both nodes get kill -9 at once, and are started again',
  },
  'pause-node': {
    ...{ weight: 1, lasts: [500, 4000], targets: ['node'] },
    what: 'a node is stopped for a while (SIGSTOP)',
  },
  'redis-away': {
    ...{ weight: 1, lasts: [4500, 6000], targets: ['redis'] },
    what: 'Redis gets kill -9, and comes back with its data when nodes go on without it',
  },
  'cut-redis': {
    ...{ weight: 1, lasts: [0, 0], targets: ['node'] },
    what: 'the connection of a node to Redis is cut',
  },
  'restart-proxy': {
    ...{ weight: 1, lasts: [0, 300], targets: ['proxy'] },
    what: 'nginx is stopped and started again',
  },
};

/** Milliseconds between faults, and before the first one. */
const GAP = { least: 3000, most: 5000 };
const WARM_UP = 2000;
/** Milliseconds until a target of the last fault is well again. */
const REST = 1500;

/** Random numbers of a seed, from 0 to 1 (mulberry32). */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Faults for `seconds`: each kind once in random order, then any; in a short time, only the first kinds. They
 * may overlap, but for those with the same target.
 *
 * @returns {{ kind: string, at: number, lastsMs: number, targets: string[], seed: number }[]} `at` in
 * milliseconds from the start
 */
export function planOf(seed, seconds) {
  const random = randomOf(seed);
  const between = ([low, high]) => Math.round(low + random() * (high - low));
  const end = seconds * 1000;
  const kinds = Object.keys(FAULTS);
  const gap = Math.min(GAP.most, Math.max(GAP.least, (end - WARM_UP) / (kinds.length + 1)));
  const count = Math.floor((end - WARM_UP) / gap);
  const drawn = Object.entries(FAULTS).flatMap(([kind, { weight }]) => Array(weight).fill(kind));
  const first = kinds
    .slice(0, count)
    .map((kind) => [random(), kind])
    .sort(([a], [b]) => a - b)
    .map(([, kind]) => kind);
  const freeAt = {};
  const plan = [];
  for (let index = 0; index < count; index += 1) {
    const at = WARM_UP + (index + random() * 0.8) * gap;
    const kind = first.shift() ?? drawn[Math.floor(random() * drawn.length)];
    const node = random() < 0.5 ? 'node-1' : 'node-2';
    const targets = FAULTS[kind].targets.map((target) => (target === 'node' ? node : target));
    const lastsMs = between(FAULTS[kind].lasts);
    const begin = Math.round(Math.max(at, ...targets.map((target) => freeAt[target] ?? 0)));
    for (const target of targets) freeAt[target] = begin + lastsMs + REST;
    plan.push({ kind, at: begin, lastsMs, targets, seed: Math.floor(random() * 2 ** 32) });
  }
  return plan.sort((a, b) => a.at - b.at);
}
