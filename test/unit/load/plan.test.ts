import { expect, it } from 'vitest';
import { LoadPlan } from '../../../src/load/plan.ts';
import { loadPlan } from '../../support/load-results.ts';

const plan = loadPlan();
const { target } = plan;

it.each([
  ['an open loop', plan],
  ['a closed loop', loadPlan({ load: { model: 'closed', depth: 16, seed: 7 } })],
  ['a payload', loadPlan({ message: { opcode: 1, size: { kind: 'sample', base64: 'eA==' } } })],
  ['sizes', loadPlan({ message: { opcode: 1, size: { kind: 'uniform', min: 1, max: 9 } } })],
  ['a segment', loadPlan({ segment: { index: 1, of: 2 } })],
  [
    'a room',
    loadPlan({
      mode: 'fanout',
      fanout: { publishers: 1, join: ['{}'], publish: '{{id}}', toSelf: true },
    }),
  ],
  [
    'headers and tokens',
    loadPlan({ target: { ...target, headers: [['X-A', 'b']], tokens: ['t'] } }),
  ],
])('takes a plan with %s as it is', (_what, good) => {
  expect(LoadPlan.parse(JSON.parse(JSON.stringify(good)))).toEqual(good);
});

it.each<[string, object]>([
  ['a URL of another scheme', { target: { ...target, url: 'http://x/' } }],
  ['a header that is two', { target: { ...target, headers: [['X-A', 'b\r\nX-B: c']] } }],
  ['a token that is a header, too', { target: { ...target, tokens: ['t\r\nX-B: c'] } }],
  ['an address that is none', { target: { ...target, sourceAddresses: ['x'] } }],
  ['no connections', { connections: 0 }],
  ['half a connection', { connections: 1.5 }],
  ['threads without bound', { workers: 1e9 }],
  ['a rate that is infinite', { load: { ...plan.load, rate: Infinity } }],
  ['a depth of 0', { load: { model: 'closed', depth: 0, seed: 1 } }],
  ['a run of a year', { phases: { ...plan.phases, durationMs: 366 * 86_400_000 } }],
  [
    'sizes the wrong way round',
    { message: { opcode: 1, size: { kind: 'uniform', min: 9, max: 1 } } },
  ],
  ['a segment beyond the last', { segment: { index: 2, of: 2 } }],
  ['a key that is not known', { extra: 1 }],
])('refuses %s', (_what, changes) => {
  expect(LoadPlan.safeParse({ ...plan, ...changes }).success).toBe(false);
});
