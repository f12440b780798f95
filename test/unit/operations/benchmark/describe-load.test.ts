import { describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { BenchmarkInput } from '../../../../src/operations/benchmark/schema.ts';
import { commandOf, describeLoad } from '../../../../src/operations/benchmark/describe-load.ts';
import { loadPlan } from '../../../support/load-results.ts';

const command = (given: Partial<z.input<typeof BenchmarkInput>>): string =>
  commandOf(BenchmarkInput.parse({ url: 'ws://a', ...given }));

describe('the command that repeats a run', () => {
  it('has what differs from the defaults alone, as it is typed', () => {
    expect(command({})).toBe('websocket-skill benchmark --url ws://a');
    expect(command({ connections: 100, durationMs: '90s', warmupMs: 0, rampMs: '1.5s' })).toBe(
      'websocket-skill benchmark --url ws://a --duration 90s --ramp 1500ms --warmup 0ms',
    );
    expect(command({ pipeline: 4, strict: true, toSelf: false, workers: 2 })).toBe(
      'websocket-skill benchmark --url ws://a --pipeline 4 --no-to-self --workers 2 --strict',
    );
  });

  it('repeats flags and quotes words for a shell', () => {
    const sourceIps = ['127.0.0.2', '::1'];
    expect(
      command({ thresholds: ['p99<20ms', 'rate>=0.9'], subprotocols: ["it's"], sourceIps }),
    ).toBe(
      `websocket-skill benchmark --url ws://a --subprotocol 'it'\\''s' --source-ip 127.0.0.2 ` +
        `--source-ip ::1 --threshold 'p99<20ms' --threshold 'rate>=0.9'`,
    );
  });

  it('holds no secret', () => {
    const headers = ['Authorization: Bearer abc', 'X-Api-Key: abc', 'cookie: abc', 'Origin: b'];
    const words = command({ headers, distributed: 'redis://user:abc@host:6379/1' });
    expect(words).not.toContain('abc');
    expect(words).toContain(`--header 'Authorization: ...'`);
    expect(words).toContain(`--header 'Origin: b'`);
    expect(words).toContain('host:6379/1');
  });
});

describe('the load in words', () => {
  const size = { kind: 'uniform', min: 16, max: 4096 } as const;

  it.each([
    [{}, 'open loop: 100 messages per second from 10 connections, 32 bytes of binary'],
    [
      { load: { model: 'closed', depth: 16, seed: 1 }, message: { opcode: 1, size } } as const,
      'closed loop: 10 connections, 16 messages in flight on each, 16 to 4,096 bytes of text',
    ],
    [
      {
        connections: 1,
        load: { model: 'open', rate: 0.5, arrivals: 'poisson', seed: 1 },
        message: { opcode: 2, size: { kind: 'sample', base64: 'AAAA' } },
      } as const,
      'open loop: 0.5 messages per second at random moments from 1 connection, 3 bytes of binary from a file',
    ],
    [
      {
        mode: 'fanout',
        fanout: { publishers: 2, join: [], publish: '{{id}}', toSelf: true },
      } as const,
      'open loop: 100 messages per second from 2 of 10 connections, 16 bytes of text',
    ],
    [{ mode: 'idle' } as const, '10 connections without messages'],
    [
      { mode: 'connect', load: { model: 'open', rate: 0, arrivals: 'constant', seed: 1 } } as const,
      'handshakes as fast as possible, up to 10 connections at once',
    ],
  ])('of %j', (changes, words) => {
    expect(describeLoad(loadPlan(changes))).toBe(words);
  });

  it('of a scenario names it, and its rate if it has one', () => {
    expect(describeLoad(loadPlan(), 'chat')).toBe(
      '10 connections running the scenario chat, 100 messages per second',
    );
  });
});
