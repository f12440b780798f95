import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { allCases } from '../../../../../src/conformance/autobahn/cases/index.ts';
import { caseOf } from '../../../../support/case-play.ts';

interface Recorded {
  readonly ws: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const recorded = JSON.parse(
  readFileSync(
    new URL('../../../../fixtures/conformance/autobahn-verdicts.json', import.meta.url),
    'utf8',
  ),
) as Recorded;

it('has the 517 cases of Autobahn, each once, in the order of their ids', () => {
  const ids = allCases().map(({ id }) => id);
  const known = Object.values(recorded.ws['server deflate'] ?? {}).flatMap((list) =>
    list.split(' '),
  );
  expect(ids).toHaveLength(517);
  expect(ids).toEqual(known.sort(byNumbers));
});

function byNumbers(a: string, b: string): number {
  const [left, right] = [a, b].map((id) => id.split('.').map(Number)) as [number[], number[]];
  for (let at = 0; at < 3; at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

it('has as many cases in each section as Autobahn', () => {
  const counts: Record<string, number> = {};
  for (const { id } of allCases()) {
    const section = id.split('.', 1)[0] ?? '';
    counts[section] = (counts[section] ?? 0) + 1;
  }
  expect(counts).toEqual({
    '1': 16,
    '2': 11,
    '3': 7,
    '4': 10,
    '5': 20,
    '6': 145,
    '7': 37,
    '9': 54,
    '10': 1,
    '12': 90,
    '13': 126,
  });
});

it('says of every case what it does, what is right, and on which section it rests', () => {
  for (const { id, title, rfc, description, expectation } of allCases()) {
    expect(title.length, id).toBeGreaterThan(3);
    expect(description, id).toMatch(/\.$/);
    expect(expectation, id).toMatch(/\.$/);
    expect(rfc, id).toMatch(/^(?:6455|7692)#\d/);
  }
});

it.each([
  ['6.6.1', 'ce', false],
  ['6.6.2', 'ceba', true],
  ['6.12.8', Array.from({ length: 63 }, (_, at) => (0x80 + at).toString(16)).join(''), false],
  ['6.13.5', 'fc20', false],
  ['6.15.1', 'c0e080f08080f8808080fc80808080dfefbff7bfbffbbfbfbffdbfbfbfbf', false],
  ['6.22.3', 'f09fbfbe', true],
  ['6.22.34', 'f48fbfbf', true],
])('sends %s as %s', (id, hex, valid) => {
  const { script } = caseOf(id);
  if (script.kind !== 'events') throw new Error('no events');
  const [step] = script.send;
  expect(step?.do === 'frame' && step.payload.toString('hex')).toBe(hex);
  expect(script.close.closedByMe).toBe(valid);
  expect(script.send.at(-1)).toEqual({ do: 'kill', delayS: 0.5 });
});

it('sends 3.6 as a binary frame and the second close of 7.1.2 as a frame', () => {
  expect(caseOf('3.6').script).toMatchObject({ send: [{ opcode: 2, rsv: 6 }, { do: 'kill' }] });
  expect(caseOf('7.1.2').script).toMatchObject({
    send: [{ do: 'close', code: 1000 }, { do: 'frame', opcode: 8 }, { do: 'kill' }],
  });
});
