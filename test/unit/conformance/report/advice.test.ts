import { expect, it } from 'vitest';
import { adviceFor } from '../../../../src/conformance/report/advice.ts';
import { allCases } from '../../../../src/conformance/autobahn/cases/index.ts';
import { extendedCases } from '../../../../src/conformance/extended/index.ts';
import { VIOLATIONS } from '../../../../src/protocol/index.ts';

const outcome = {
  id: '1.1.1',
  behavior: 'OK',
  behaviorClose: 'OK',
  opened: true,
  mustFail: false,
  violation: undefined,
};
const titles = (changes: Partial<Parameters<typeof adviceFor>[0]>): string[] =>
  adviceFor({ ...outcome, ...changes }).map(({ title }) => title);

it('has nothing to say of a pass', () => {
  expect(titles({})).toEqual([]);
});

it('has a row for every case', () => {
  const extended = [...extendedCases('server'), ...extendedCases('client')];
  for (const { id } of [...allCases(), ...extended]) {
    const [title] = titles({ id, behavior: 'FAILED', mustFail: true });
    expect([id, title]).toEqual([id, expect.any(String)]);
  }
});

it('tells text that should have been refused from text that was refused wrongly', () => {
  const failed = { id: '6.11.5', behavior: 'FAILED' };
  expect(titles({ ...failed, mustFail: true })).toEqual(['Invalid UTF-8 was accepted']);
  expect(titles({ ...failed, mustFail: false })).toEqual(['Valid text was refused or changed']);
  expect(titles({ id: '6.4.1', behavior: 'NON-STRICT', mustFail: true })).toEqual([
    'Invalid UTF-8 is detected late',
  ]);
});

it('tells how to close a connection', () => {
  expect(titles({ behaviorClose: 'UNCLEAN' })).toEqual(['The closing handshake was cut off']);
  expect(titles({ behaviorClose: 'WRONG CODE' })).toEqual(['The close code is wrong']);
  expect(titles({ behaviorClose: 'FAILED BY CLIENT' })).toEqual([
    'The server leaves closing TCP to the client',
  ]);
});

it('looks at the handshake first where nothing was open', () => {
  expect(titles({ behavior: 'FAILED', behaviorClose: 'FAILED', opened: false })).toEqual([
    'The connection never opened',
  ]);
});

it('looks at the peer’s own breach of the protocol, for codes that exist', () => {
  const violation = 'WSK_MASKED_FRAME' satisfies keyof typeof VIOLATIONS;
  expect(titles({ behavior: 'FAILED', behaviorClose: 'UNCLEAN', violation })).toEqual([
    'The server masks its frames',
  ]);
});

it('has advice for every violation that a frame can be', () => {
  const frames = Object.entries(VIOLATIONS).filter(
    ([code, { closeCode }]) => closeCode === 1002 || code === 'WSK_INVALID_UTF8',
  );
  for (const [violation] of frames) {
    expect([violation, titles({ behavior: 'FAILED', violation })]).not.toContainEqual([
      'A message was not echoed as it was sent',
    ]);
  }
});
