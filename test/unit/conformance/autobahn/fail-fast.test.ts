import { expect, it } from 'vitest';
import { CasePlay, closePayload } from '../../../support/case-play.ts';

function playAndClose(closeAfterS: number): string {
  const play = new CasePlay('6.4.1');
  play.wait(closeAfterS);
  play.send({ opcode: 8, payload: closePayload(1007) });
  play.wait(0.1);
  return play.verdict();
}

it('finds a server strict that fails the connection at the bad octets', () => {
  expect(playAndClose(1.01)).toBe('OK / OK');
});

it('finds a server lax that fails the connection when the message is complete', () => {
  expect(playAndClose(2.01)).toBe('NON-STRICT / OK');
});

it('finds fault with a server that fails the connection while the text is still valid', () => {
  expect(playAndClose(0.5)).toBe('FAILED / OK');
});

it('finds fault twice with a server that never fails the connection', () => {
  const play = new CasePlay('6.4.1');
  play.wait(4);
  expect(play.verdict()).toBe('FAILED / FAILED');
});
