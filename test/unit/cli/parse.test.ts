import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Answer, Invocation } from '../../../src/cli/parse-flags.ts';
import { parseCommandLine } from '../../../src/cli/parse.ts';
import { UsageError } from '../../../src/core/errors.ts';
import { operations } from '../../../src/operations/index.ts';
import { sampleEntry } from '../../support/sample-operation.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const program = { version: '1.2.3', commands: [sampleEntry] };

async function parse(...argv: string[]): Promise<Invocation> {
  const parsed = await parseCommandLine(argv, program, '/');
  if ('text' in parsed) throw new Error(`answered ${parsed.text}`);
  return parsed;
}

async function answer(...argv: string[]): Promise<string> {
  return ((await parseCommandLine(argv, program, '/')) as Answer).text;
}

async function refusal(...argv: string[]): Promise<UsageError> {
  const error: unknown = await parse(...argv).catch((thrown: unknown) => thrown);
  if (!(error instanceof UsageError)) throw new Error('no UsageError was thrown', { cause: error });
  return error;
}

describe('parseCommandLine', () => {
  it('reads every kind of flag by its field', async () => {
    const { args, json } = await parse(
      ...['sample', 'thing', '--port', '8080', '--timeout', '10s', '--features', 'rooms, presence'],
      ...['--header', 'A: 1, 2', '--header', 'B: 3', '--no-echo', '--json'],
    );
    expect(args).toEqual({
      target: 'thing',
      port: 8080,
      timeoutMs: '10s',
      features: ['rooms', 'presence'],
      headers: ['A: 1, 2', 'B: 3'],
      echo: false,
    });
    expect(json).toBe(true);
  });

  it('leaves out what was not typed, so that settings can fill it in', async () => {
    expect((await parse('sample', 'thing')).args).toEqual({ target: 'thing' });
  });

  it('keeps text that is no number for the schema to refuse', async () => {
    expect((await parse('sample', 'x', '--port', 'abc')).args['port']).toBe('abc');
    expect((await parse('sample', 'x', '--port', '-1')).args['port']).toBe(-1);
  });

  it('leaves a duration without a unit as it was typed, for the schema to refuse', async () => {
    expect((await parse('sample', 'x', '--timeout', '60')).args['timeoutMs']).toBe('60');
  });

  it('reads arguments from a JSON file, below the flags', async () => {
    const file = path.join(temporaryFolder(), 'input.json');
    writeFileSync(file, '{"target":"file","port":1}');
    expect((await parse('sample', '--input', file, '--port', '2')).args).toEqual({
      target: 'file',
      port: 2,
    });
  });

  it.each(['{', '[1]', '"x"'])('refuses an input file that holds %j', async (text) => {
    const file = path.join(temporaryFolder(), 'input.json');
    writeFileSync(file, text);
    expect((await refusal('sample', '--input', file)).message).toMatch(/is not (a )?JSON/);
  });

  it('refuses an input file that cannot be read', async () => {
    expect((await refusal('sample', '--input', '/nonexistent.json')).message).toMatch(
      /cannot be read/,
    );
  });

  it('names the nearest operation and the nearest flag', async () => {
    expect(await refusal('smaple')).toMatchObject({
      code: 'WSK_ERR_UNKNOWN_OPERATION',
      hint: 'did you mean sample?',
    });
    expect(await refusal('sample', 'x', '--prot', '1')).toMatchObject({
      code: 'WSK_ERR_UNKNOWN_FLAG',
      hint: 'did you mean --port?',
    });
  });

  it.each([
    ['--feat', 'did you mean --features?'],
    ['-p', 'flags have long names only: did you mean --port?'],
    ['-v', '--version alone prints the version'],
    ['-port', 'flags have long names only: did you mean --port?'],
    ['-rf', 'flags have long names only: --help lists them'],
    ['-x', 'flags have long names only: --help lists them'],
  ])('answers %s with what may be meant', async (flag, hint) => {
    expect(await refusal('sample', 'x', flag, '1')).toMatchObject({
      code: 'WSK_ERR_UNKNOWN_FLAG',
      hint,
    });
  });

  it('refuses a flag without its value and words that are too many', async () => {
    expect((await refusal('sample', 'x', '--port')).message).toMatch(/argument missing/);
    expect((await refusal('sample', 'x', 'y')).message).toMatch(/too many arguments/);
  });

  it('answers --version, --help and an operation’s --help', async () => {
    for (const flag of ['--version', '-V', '-v']) expect(await answer(flag)).toBe('1.2.3\n');
    expect(await answer('--help')).toContain('sample  Show what was understood');
    const help = await answer('sample', '--help');
    expect(help).toContain('--features <rooms,presence>');
    expect(help).toContain('largest message in bytes (default: 1000)');
    expect(help).toContain('websocket-skill sample thing --port 8080');
    expect(await answer('help', 'sample')).toBe(help);
  });

  it('leaves room for the description of a flag with many values', async () => {
    const entry = operations['generate-server'];
    const { text } = (await parseCommandLine(
      ['generate-server', '--help'],
      { version: '1.2.3', commands: [entry] },
      '/',
    )) as Answer;
    const lines = text.split('\n');
    const at = lines.indexOf('  --type <echo|chat|pubsub|live-updates|collab|rpc|mcp>');
    expect(lines[at + 1]).toMatch(/^ {30,32}echo returns each message/);
    expect(lines[at + 1]?.length).toBeLessThanOrEqual(80);
  });

  it('shows defaults with their unit, and both forms of a flag in one line', async () => {
    const help = await answer('sample', '--help');
    expect(help).toMatch(/--timeout <duration> +bound of one step \(default: 5s\)/);
    expect(help).toContain('A duration is a number with a unit: 500ms, 10s, 2m or 1h');
    expect(help).toMatch(/--\[no-\]echo +whether the server echoes/);
    expect(help).not.toContain('--no-echo');
  });
});
