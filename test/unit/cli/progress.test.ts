import { expect, it } from 'vitest';
import { ProgressPrinter } from '../../../src/cli/progress.ts';

function record(isTTY: boolean, size: { rows?: number; columns?: number } = {}) {
  const written: string[] = [];
  const clock = { at: 0 };
  const printer = new ProgressPrinter(
    { isTTY, ...size, write: (text: string) => written.push(text) },
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

const parts = (done: number, failed = 0) => [
  { name: '1 Framing', done: 16, total: 16, failed: 0 },
  { name: '6 UTF-8', done, total: 145, failed },
];

it('lists parts on a terminal, over the list before, and removes them at the end', () => {
  const { written, clock, printer } = record(true);
  clock.at = 200;
  printer.emit({ stage: 'ws', done: 16, total: 161, parts: parts(0) });
  clock.at = 250;
  printer.emit({ stage: 'ws', done: 20, total: 161, parts: parts(4) });
  clock.at = 400;
  printer.emit({ stage: 'ws', done: 161, total: 161, parts: parts(145, 3) });
  printer.end();
  expect(written.map((text) => text.replace(/\u001b\[\d*m/g, ''))).toEqual([
    [
      '… ws 16/161',
      '  1 Framing                    ████████████████████     16/16',
      '  6 UTF-8                      ░░░░░░░░░░░░░░░░░░░░     0/145',
      '',
    ].join('\n'),
    [
      '\u001b[3F\u001b[J… ws 161/161',
      '  1 Framing                    ████████████████████     16/16',
      '  6 UTF-8                      ████████████████████   145/145  3 failed',
      '',
    ].join('\n'),
    '\u001b[3F\u001b[J',
  ]);
});

it.each([{ rows: 3 }, { columns: 40 }])('has one line where the list has no room: %o', (size) => {
  const { written, clock, printer } = record(true, size);
  clock.at = 1500;
  printer.emit({ stage: 'ws', done: 16, total: 161, parts: parts(0) });
  expect(written).toEqual(['\r\u001b[2K… ws 16/161']);
});

it('prints a plain line for each part that is done, once', () => {
  const { written, clock, printer } = record(false);
  clock.at = 100;
  printer.emit({ stage: 'ws', done: 16, total: 161, parts: parts(0) });
  printer.emit({ stage: 'ws', done: 161, total: 161, parts: parts(145, 3) });
  printer.emit({ stage: 'ws', done: 161, total: 161, parts: parts(145, 3) });
  expect(written).toEqual(['… 1 Framing: 16\n', '… 6 UTF-8: 145, 3 failed\n']);
});

it('draws a picture over the one before on a terminal, as wide and high as that is', () => {
  const { written, printer } = record(true, { rows: 4, columns: 100 });
  printer.emit({ stage: 'second 1', lines: (columns) => [`${columns} columns`, 'b', 'c', 'd'] });
  printer.emit({ stage: 'second 2', lines: () => ['a'] });
  printer.end();
  expect(written).toEqual(['100 columns\nb\nc\n', '\u001b[3F\u001b[Ja\n', '\u001b[1F\u001b[J']);
});

it('writes a plain line each five seconds in place of a picture where there is no terminal', () => {
  const { written, clock, printer } = record(false);
  for (clock.at = 0; clock.at <= 12_000; clock.at += 1000) {
    printer.emit({ stage: `second ${clock.at / 1000}`, lines: () => ['a', 'b'] });
  }
  expect(written).toEqual(['… second 5\n', '… second 10\n']);
});

it('tells at once what happened once, as a line that stays', () => {
  const { written, printer } = record(false);
  printer.emit({ stage: 'waits', event: true });
  printer.emit({ stage: 'loads', event: true });
  expect(written).toEqual(['… waits\n', '… loads\n']);
});

it('removes a changing line before one that stays', () => {
  const { written, clock, printer } = record(true);
  clock.at = 1500;
  printer.emit({ stage: 'installing' });
  printer.emit({ stage: 'loads', event: true });
  printer.end();
  expect(written).toEqual(['\r\u001b[2K… installing', '\r\u001b[2K', '… loads\n']);
});
