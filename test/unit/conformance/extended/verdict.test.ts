import { expect, it } from 'vitest';
import { caseVerdict } from '../../../../src/conformance/extended/verdict.ts';
import type { Observation } from '../../../../src/conformance/observation.ts';
import type { ExchangeScript, ExpectedOutcome } from '../../../../src/conformance/script.ts';

const HELLO = Buffer.from('Hello');

function scriptOf(...expected: ExpectedOutcome[]): ExchangeScript {
  return {
    kind: 'exchange',
    opening: { edits: [] },
    // A text, and two pings of the same payload.
    send: [{ do: 'frames', frames: [1, 9, 9].map((opcode) => ({ opcode, payload: HELLO })) }],
    ending: 'react',
    expect: expected,
    waitMs: 1,
    echoes: true,
    ownReply: false,
    windowBits: undefined,
    thenServes: false,
  };
}

function seen(changes: Partial<Observation>): Observation {
  return {
    opening: { is: 'accepted', breach: undefined, deflate: false },
    received: [],
    end: undefined,
    violation: undefined,
    droppedInTime: undefined,
    answeredClose: undefined,
    served: undefined,
    lacking: undefined,
    guard: null,
    ...changes,
  };
}

const CLOSED_1002 = { is: 'closed', code: 1002, reason: Buffer.alloc(0) } as const;
const FAILS: ExpectedOutcome = { verdict: 'OK', outcome: { is: 'failed', codes: [1002] } };

it('gives the verdict of the first expected outcome that fits', () => {
  const why = 'it may';
  const script = scriptOf(
    { verdict: 'NON-STRICT', outcome: { is: 'closed', codes: [1002] }, why },
    FAILS,
  );
  expect(caseVerdict(script, seen({ end: CLOSED_1002 }))).toMatchObject({
    behavior: 'NON-STRICT',
    behaviorClose: 'OK',
    result: 'The peer closed with 1002 (protocol error): it may.',
  });
});

it('says what was expected and what was seen when nothing fits', () => {
  expect(caseVerdict(scriptOf(FAILS), seen({ end: { is: 'quiet' } }))).toMatchObject({
    behavior: 'FAILED',
    result: 'Expected close 1002 or a drop of TCP, but the peer neither answered nor closed.',
  });
});

it('tells a wrong close code from a wrong reaction', () => {
  const end = { ...CLOSED_1002, code: 1011 };
  expect(caseVerdict(scriptOf(FAILS), seen({ end }))).toMatchObject({
    behavior: 'OK',
    behaviorClose: 'WRONG CODE',
  });
});

it('wants exactly the messages and pongs that are listed', () => {
  const received = [{ type: 'text', payload: HELLO, length: 5 }] as const;
  expect(caseVerdict(scriptOf(FAILS), seen({ end: CLOSED_1002, received })).behavior).toBe(
    'FAILED',
  );
  const listed = scriptOf({
    verdict: 'OK',
    outcome: { is: 'failed', codes: [1002], received: [{ type: 'text', payload: HELLO }] },
  });
  expect(caseVerdict(listed, seen({ end: CLOSED_1002, received })).behavior).toBe('OK');
});

it('compares the messages alone, or the last event alone, where the case says so', () => {
  const pong = { type: 'pong', payload: HELLO } as const;
  const received = [
    { ...pong, length: 5 },
    { type: 'text', payload: HELLO, length: 5 },
    { ...pong, length: 5 },
  ] as const;
  const end = { is: 'open' } as const;
  const of = (
    wanted: NonNullable<(ExpectedOutcome['outcome'] & { is: 'open' })['received']>,
  ): string =>
    caseVerdict(
      scriptOf({ verdict: 'OK', outcome: { is: 'open', received: wanted } }),
      seen({ end, received }),
    ).behavior;
  expect(of({ messages: [{ type: 'text', payload: HELLO }] })).toBe('OK');
  expect(of({ messages: [] })).toBe('FAILED');
  expect(of({ last: pong })).toBe('OK');
  expect(of({ last: { type: 'text', payload: HELLO } })).toBe('FAILED');
  expect(of('any')).toBe('OK');
});

it.each([
  ['a violation', { violation: 'it sent a text frame after its close frame' }],
  ['a server that is gone afterwards', { served: false }],
  ['a guard', { guard: 'the case did not come to an end' }],
])('fails a case that ends with %s, whatever its grades say', (_, changes) => {
  expect(caseVerdict(scriptOf(FAILS), seen({ end: CLOSED_1002, ...changes })).behavior).toBe(
    'FAILED',
  );
});

it('does not hold it against a peer that it lacks an extension', () => {
  const graded = caseVerdict(
    scriptOf(FAILS),
    seen({ lacking: 'does not speak permessage-deflate' }),
  );
  expect(graded).toMatchObject({
    behavior: 'UNIMPLEMENTED',
    result: 'The peer does not speak permessage-deflate.',
  });
});

it('looks for a field and its element in a refusal', () => {
  const outcome = {
    is: 'refused',
    field: { name: 'Sec-WebSocket-Version', element: '13' },
  } as const;
  const refusal = (value: string): Observation =>
    seen({
      opening: {
        is: 'refused',
        head: {
          kind: 'response',
          version: 'HTTP/1.1',
          status: 426,
          reason: 'Upgrade Required',
          fields: [{ name: 'sec-websocket-version', value }],
          flaws: [],
        },
      },
    });
  const script = scriptOf({ verdict: 'OK', outcome });
  expect(caseVerdict(script, refusal('8, 13')).behavior).toBe('OK');
  expect(caseVerdict(script, refusal('130')).behavior).toBe('FAILED');
});

function got(type: 'text' | 'pong', text: string): Observation['received'][number] {
  const payload = Buffer.from(text);
  return { type, payload, length: payload.length };
}

const SENDS: ExchangeScript = {
  ...scriptOf({
    verdict: 'OK',
    outcome: {
      is: 'open',
      received: [
        { type: 'pong', payload: Buffer.from('p') },
        { type: 'text', payload: HELLO },
      ],
    },
  }),
  ending: 'greet',
  send: [
    {
      do: 'frames',
      frames: [
        { opcode: 9, payload: Buffer.from('p') },
        { opcode: 1, payload: HELLO },
      ],
    },
  ],
};

const ECHOED = [got('pong', 'p'), got('text', 'Hello')];

it.each([
  ['an unsolicited pong', [got('pong', 'hb'), ...ECHOED]],
  ['a second pong for one ping', [...ECHOED, got('pong', 'p')]],
  ['a greeting', [got('text', 'welcome'), ...ECHOED]],
  ['a heartbeat between', [got('pong', 'p'), got('text', 'o'), got('text', 'Hello')]],
])('passes over what the peer sends of its own: %s', (_, received) => {
  const { behavior } = caseVerdict(SENDS, seen({ end: { is: 'open' }, received }));
  expect(behavior).toBe('OK');
});

it.each([
  ['a doubled echo', [...ECHOED, got('text', 'Hello')]],
  ['a cut echo beside the whole one', [...ECHOED, got('text', 'Hell')]],
  ['a greeting in place of the echo', [got('pong', 'p'), got('text', 'welcome')]],
  ['no pong', [got('text', 'Hello')]],
])('still fails %s', (_, received) => {
  const { behavior } = caseVerdict(SENDS, seen({ end: { is: 'open' }, received }));
  expect(behavior).toBe('FAILED');
});
