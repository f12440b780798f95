import { expect, it } from 'vitest';
import { ProgressPrinter } from '../../../src/cli/progress.ts';

function record(isTTY: boolean) {
  const written: string[] = [];
  const clock = { at: 0 };
  const printer = new ProgressPrinter(
    { isTTY, write: (text: string) => written.push(text) },
    () => clock.at,
  );
  return { written, clock, printer };
}

it('says nothing in the first second and then at most one line a second', () => {
  const { written, clock, printer } = record(false);
  for (clock.at = 0; clock.at <= 3000; clock.at += 250) {
    printer.emit({ stage: 'sending', done: clock.at, total: 3000 });
  }
  expect(written).toEqual([1000, 2000, 3000].map((at) => `… sending ${at}/3000\n`));
});

it('keeps one changing line on a terminal and removes it at the end', () => {
  const { written, clock, printer } = record(true);
  clock.at = 1500;
  printer.emit({ stage: 'installing' });
  printer.end();
  printer.end();
  expect(written).toEqual(['\r\u001b[2K… installing', '\r\u001b[2K']);
});
