import { describe, expect, it } from 'vitest';
import { Settings } from '../../../../src/core/settings.ts';
import { resolveInput } from '../../../../src/core/derive/input.ts';
import { flagOf } from '../../../../src/operations/benchmark/schema.ts';
import { operation } from '../../../../src/operations/benchmark/operation.ts';
import { usageErrorOf } from '../../../support/usage-error.ts';

const settings = Settings.parse({});
const given = { url: 'ws://localhost' };

const refusal = (args: object) =>
  usageErrorOf(() => resolveInput(operation, { ...given, ...args }, settings, 'flag'));

describe('the flags of benchmark', () => {
  it.each([
    [{ rate: 0 }, '--rate is 0, expected a number above 0'],
    [{ rate: -1 }, '--rate is -1, expected a number above 0'],
    [{ rate: 'fast' }, '--rate is "fast", expected a number above 0'],
    [{ messagesPerSecond: 0 }, '--messages-per-second is 0, expected a number above 0'],
    [{ durationMs: 'abc' }, '--duration is "abc", expected a time such as 500ms, 10s, 2m or 1h'],
    [{ durationMs: '0s' }, '--duration is "0s", expected a time such as 500ms, 10s, 2m or 1h'],
    [{ durationMs: '25h' }, '--duration is "25h", expected a time'],
    [{ rampMs: 'slow' }, '--ramp is "slow", expected 0 or a time'],
    [{ connections: 0 }, '--connections is 0, expected a whole number from 1 to 1000000'],
    [{ pipeline: 0 }, '--pipeline is 0, expected a whole number from 1 to 10000'],
    [{ workers: '0' }, '--workers is "0", expected auto or a whole number from 1 to 64'],
    [{ workers: 'many' }, '--workers is "many", expected auto or a whole number from 1 to 64'],
    [{ repeat: 0 }, '--repeat is 0, expected a whole number from 1 to 100'],
    [{ distributed: 'localhost' }, '--distributed is "localhost", expected a redis://'],
    [{ compare: 'http://b' }, '--compare is "http://b", expected a ws:// or wss:// URL'],
    [{ project: 'b' }, '--url is "ws://localhost", expected either --url or --project, not both'],
    [{ url: undefined }, '--url is missing, expected either --url or --project, not both'],
    [{ thresholds: ['p99<10'] }, '--threshold holds "p99<10", column 7: no unit, p99 takes us, ms'],
    [{ slo: 'p99' }, '--slo is "p99", column 4: nothing where <, <=, > or >= is expected'],
    [{ mode: 'storm' }, '--mode is "storm", expected one of echo, fanout, connect, idle, soak'],
  ])('refuse %j', (args, message) => {
    const error = refusal(args);
    expect(error.code).toBe('WSK_ERR_INVALID_INPUT');
    expect(error.message).toContain(message);
  });

  it('say the nearest mode', () => {
    expect(refusal({ mode: 'fan-out' }).hint).toBe('did you mean fanout?');
  });

  it('have the names of the command line', () => {
    expect(flagOf('messagesPerSecond')).toBe('--messages-per-second');
    expect(flagOf('durationMs')).toBe('--duration');
    expect(flagOf('sourceIps')).toBe('--source-ip');
    expect(flagOf('thresholds')).toBe('--threshold');
  });
});
