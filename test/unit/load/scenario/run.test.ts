import { describe, expect, it } from 'vitest';
import { parseCsv } from '../../../../src/load/scenario/parse/csv.ts';
import { Semaphore } from '../../../../src/load/scenario/vu/semaphore.ts';
import { Inbox } from '../../../../src/load/scenario/vu/inbox.ts';
import { IncomingMessage } from '../../../../src/load/scenario/vu/message.ts';
import { assignKinds } from '../../../../src/load/scenario/vu/assign.ts';
import { captured, compileMatcher } from '../../../../src/load/scenario/vu/matching.ts';
import { VuVariables, Draw } from '../../../../src/load/scenario/vu/variables.ts';
import type { ExpectStep, Variable } from '../../../../src/load/scenario/scenario.ts';
import { parseScenario } from '../../../../src/load/scenario/index.ts';

function message(text: string, atMs = 1): IncomingMessage {
  return new IncomingMessage(1, Buffer.from(text), atMs);
}

function expectStep(yaml: string): ExpectStep {
  const { clients } = parseScenario(`data: { n: 7 }\nsteps: [{ expect: ${yaml} }]`, 's.yaml');
  return clients[0]?.steps[1] as ExpectStep;
}

describe('a condition', () => {
  it.each([
    ['{ json: { a: 1, "$.b[0]": x } }', '{"a":1,"b":["x"]}', true],
    ['{ json: { a: 1 } }', '{"a":"1"}', false],
    ['{ json: { a: "{{n}}" } }', '{"a":7}', true],
    ['{ json: { a: { c: 1, b: 2 } } }', '{"a":{"b":2,"c":1}}', true],
    ['{ json: { a: 1 } }', 'no JSON', false],
    ['{ exists: [a, b] }', '{"a":1,"b":null}', true],
    ['{ absent: a }', '{"b":1}', true],
    ['{ absent: a }', 'no JSON', false],
    ['{ contains: "is {{n}}" }', 'it is 7!', true],
    ['{ text: "{{n}}" }', '7', true],
    ['{ text: "{{n}}" }', '77', false],
    ['{ regex: "^a+$" }', 'aaa', true],
    ['{ regex: "^a+$", contains: b }', 'aaa', false],
    ['any', '', true],
  ])('%s of %s is %s', (yaml, text, holds) => {
    const matches = compileMatcher(expectStep(yaml).match)(() => 7);
    expect(matches(message(text))).toBe(holds);
  });

  it('tells binary messages from texts of the same bytes', () => {
    const matches = compileMatcher(expectStep('{ binary: YWI= }').match)(() => undefined);
    expect(matches(new IncomingMessage(2, Buffer.from('ab'), 1))).toBe(true);
    expect(matches(message('ab'))).toBe(false);
  });

  it('captures by path, by group and by the name of a group', () => {
    const { captures } = expectStep(
      `{ any: true, capture: { a: $.a, b: { regex: '"b":(\\d+)' }, c: { regex: '(?<c>x+)', group: c } } }`,
    );
    const values = captures.map((capture) =>
      captured(capture, message('{"a":[1],"b":25,"c":"xx"}')),
    );
    expect(values).toEqual([[1], '25', 'xx']);
  });
});

describe('an inbox', () => {
  const any = { matches: () => true, sinceMs: 0, timeoutMs: 60_000 };

  it('gives the messages that were kept, and waits for others', async () => {
    const inbox = new Inbox();
    inbox.keep(message('first'));
    expect(await inbox.next(any)).toMatchObject({ text: 'first' });
    const next = inbox.next({ ...any, matches: ({ text }) => text === 'b' });
    expect(inbox.offer(message('a'))).toBe(false);
    expect(inbox.offer(message('b'))).toBe(true);
    expect(await next).toMatchObject({ text: 'b' });
  });

  it('takes nothing for a reply that came before its message was sent', async () => {
    const inbox = new Inbox();
    inbox.keep(message('late', 1));
    const outcome = inbox.next({ ...any, sinceMs: 2, timeoutMs: 1 });
    expect(await outcome).toEqual({ kind: 'timeout', text: 'nothing in 1 ms' });
  });

  it('ends a wait when the connection is gone, and every later one at once', async () => {
    const inbox = new Inbox();
    const next = inbox.next(any);
    inbox.drop({ kind: 'close', detail: '1001', text: 'closed' });
    const gone = { kind: 'dropped', text: 'the connection was gone: closed' };
    expect(await next).toEqual(gone);
    expect(await inbox.next(any)).toEqual(gone);
  });

  it('hands over what is too much, and in the end all that nobody wanted', () => {
    const inbox = new Inbox();
    const pushedOut = Array.from({ length: 66 }, (_, i) => inbox.keep(message(String(i))));
    expect(pushedOut.flatMap((each) => each?.text ?? [])).toEqual(['0', '1']);
    const left: string[] = [];
    inbox.end(({ text }) => left.push(text));
    expect(left).toHaveLength(64);
  });
});

describe('kinds of clients', () => {
  const kinds = [{ kind: { weight: 9 } }, { kind: { weight: 1 } }];
  const countOf = (total: number): number[] =>
    kinds.map((kind) => assignKinds(kinds, total).filter((other) => other === kind).length);

  it('come by weight, each once at least', () => {
    expect(countOf(100)).toEqual([90, 10]);
    expect(countOf(13)).toEqual([12, 1]);
    expect(countOf(2)).toEqual([1, 1]);
    expect(countOf(1)).toEqual([1, 0]);
  });

  it('are mixed: every part of the clients has the same shares', () => {
    const half = assignKinds(kinds, 100).slice(0, 50);
    expect(half.filter((kind) => kind === kinds[1])).toHaveLength(5);
  });
});

describe('variables', () => {
  const draw = (thread: number): Draw => new Draw({ random: () => 0.5, thread, threads: 2 });
  const sequence: Variable = {
    name: 's',
    per: 'pass',
    source: { kind: 'sequence', from: 10, step: 5 },
  };

  it('of a sequence differ on all threads', () => {
    const [a, b] = [draw(0), draw(1)];
    expect([a.next(sequence), b.next(sequence), a.next(sequence), b.next(sequence)]).toEqual([
      10, 15, 20, 25,
    ]);
  });

  it('are kept for as long as their per says', () => {
    const map = new Map([
      ['s', sequence],
      ['i', { ...sequence, name: 'i', per: 'iteration' as const }],
      ['c', { ...sequence, name: 'c', per: 'client' as const }],
    ]);
    const variables = new VuVariables(3, map, draw(0));
    const values = (): unknown[] => ['s', 's', 'i', 'c', 'client'].map(variables.lookup);
    variables.beginIteration();
    expect(values()).toEqual([10, 10, 10, 10, 3]);
    variables.beginPass(1);
    expect(values()).toEqual([20, 20, 10, 10, 3]);
    variables.beginIteration();
    expect(values()).toEqual([30, 30, 20, 10, 3]);
  });

  it('that were captured are gone with the iteration', () => {
    const variables = new VuVariables(1, new Map(), draw(0));
    variables.capture('token', 'x');
    expect(variables.lookup('token')).toBe('x');
    variables.beginIteration();
    expect(variables.lookup('token')).toBeUndefined();
  });
});

describe('comma-separated values', () => {
  it('have quotes, commas and line breaks in quotes, and empty fields', () => {
    expect(parseCsv('a,b\r\n"x, ""y""\n",\n1,2')).toEqual([
      { a: 'x, "y"\n', b: '' },
      { a: '1', b: '2' },
    ]);
  });

  it.each([
    ['a,b\n1', 'row 2 has 1 fields, the header has 2'],
    ['a\n"x', 'row 2 has a quote out of place'],
    ['a,b\n', 'it has no row below the header'],
  ])('%j are refused', (text, message) => {
    expect(() => parseCsv(text)).toThrow(message);
  });
});

it('lets so many through a gate at a time, the others in their order', () => {
  const gate = new Semaphore(1);
  const inside: number[] = [];
  for (const who of [1, 2, 3]) gate.enter(() => inside.push(who));
  expect(inside).toEqual([1]);
  gate.leave();
  gate.leave();
  expect(inside).toEqual([1, 2, 3]);
});
