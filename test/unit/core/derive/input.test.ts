import { describe, expect, it } from 'vitest';
import { Settings } from '../../../../src/core/settings.ts';
import { resolveInput } from '../../../../src/core/derive/input.ts';
import type { UsageError } from '../../../../src/core/errors.ts';
import { sampleOperation } from '../../../support/sample-operation.ts';
import { usageErrorOf } from '../../../support/usage-error.ts';

const settings = Settings.parse({ defaultPort: 9000, maxPayload: 77 });

const refusal = (args: Record<string, unknown>, naming?: 'flag' | 'field'): UsageError =>
  usageErrorOf(() => resolveInput(sampleOperation, { target: 'x', ...args }, settings, naming));

describe('resolveInput', () => {
  it('takes arguments first, then settings, then the schema’s defaults', () => {
    const input = resolveInput(
      sampleOperation,
      { target: 'x', port: 1234, maxPayload: undefined },
      settings,
    );
    expect(input).toMatchObject({ port: 1234, maxPayload: 77, timeoutMs: 5000, color: 'red' });
  });

  it.each([
    [500, 500],
    ['250ms', 250],
    ['1.5s', 1500],
    ['2m', 120_000],
  ])('reads the duration %j as %d ms', (timeoutMs, expected) => {
    const input = resolveInput(sampleOperation, { target: 'x', timeoutMs }, settings);
    expect(input.timeoutMs).toBe(expected);
  });

  it.each([
    [{ port: 0 }, 'port is 0, expected a whole number from 1 to 65535'],
    [{ port: 70_000 }, 'port is 70000, expected a whole number from 1 to 65535'],
    [{ port: 'abc' }, 'port is "abc", expected a whole number from 1 to 65535'],
    [{ port: 80.5 }, 'port is 80.5, expected a whole number from 1 to 65535'],
    [{ maxPayload: -1 }, 'maxPayload is -1, expected a whole number of at least 1'],
    [{ features: ['rooms', ''] }, 'features holds "", expected one of rooms, presence'],
    [{ url: 'http://localhost' }, 'url is "http://localhost", expected a ws:// or wss:// URL'],
    [{ url: 'ws://localhost/#x' }, 'url is "ws://localhost/#x", expected a ws://'],
    [{ headers: ['nonsense'] }, 'headers holds "nonsense", expected "Name: value"'],
    [{ timeoutMs: 'soon' }, 'timeoutMs is "soon", expected a time such as 500ms'],
    [{ echo: 'yes' }, 'echo is "yes", expected true or false'],
    [{ target: undefined }, 'target is missing, expected text'],
  ])('refuses %j with the value and the range', (args, message) => {
    const error = refusal(args);
    expect(error.code).toBe('WSK_ERR_INVALID_INPUT');
    expect(error.message).toContain(message);
  });

  it('names a flag as it was typed when it speaks to a command line', () => {
    expect(refusal({ maxPayload: 'x' }, 'flag').message).toMatch(/^--max-payload is "x"/);
    expect(refusal({ timeoutMs: 'x' }, 'flag').message).toMatch(/^--timeout is "x"/);
    expect(refusal({ target: undefined }, 'flag').message).toMatch(/^<target> is missing/);
  });

  it.each(['60', '1.5', '0060'])(
    'refuses the duration %j without a unit, and names one',
    (text) => {
      const error = refusal({ timeoutMs: text }, 'flag');
      expect(error.message).toBe(
        `--timeout is ${JSON.stringify(text)}, expected a time such as 500ms, 10s, 2m or 1h, above 0 and up to 24h`,
      );
      expect(error.hint).toBe(`give it a unit: --timeout ${text}s`);
      expect(refusal({ timeoutMs: '0' }).hint).toBeUndefined();
    },
  );

  it('names the nearest valid word and the nearest known argument', () => {
    expect(refusal({ color: 'gren' }).hint).toBe('did you mean green?');
    expect(refusal({ features: ['precense'] }).hint).toBe('did you mean presence?');
    const unknown = refusal({ colour: 'red' });
    expect(unknown.code).toBe('WSK_ERR_UNKNOWN_FLAG');
    expect(unknown.hint).toBe('did you mean color?');
  });
});
