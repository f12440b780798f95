import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type * as z from 'zod';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../../../src/core/errors.ts';
import type { LoadPlan } from '../../../../../src/load/plan.ts';
import { BenchmarkInput } from '../../../../../src/operations/benchmark/schema.ts';
import type { Machine } from '../../../../../src/load/host/machine.ts';
import { prepare } from '../../../../../src/operations/benchmark/plan/prepare.ts';
import { createCertificate } from '../../../../support/certificates.ts';
import { temporaryFolder } from '../../../../support/temporary-folder.ts';

type Given = Partial<z.input<typeof BenchmarkInput>>;

const URL = 'ws://127.0.0.1:9/';

const MACHINE: Machine = {
  cores: 4,
  descriptors: 20_000,
  ports: { low: 32_768, high: 60_999 },
  addresses: ['192.0.2.1', '192.0.2.2', '2001:db8::1'],
  platform: 'linux',
};

async function planOf(given: Given, machine: Partial<Machine> = {}, cwd = '.'): Promise<LoadPlan> {
  const input = BenchmarkInput.parse({ url: URL, ...given });
  const prepared = await prepare(input, cwd, { machine: { ...MACHINE, ...machine } });
  return prepared.planFor({ url: input.url ?? URL, contract: null });
}

async function refusal(given: Given, machine: Partial<Machine> = {}): Promise<UsageError> {
  const error: unknown = await planOf(given, machine).catch((reason: unknown) => reason);
  if (error instanceof UsageError) return error;
  throw new Error('expected a UsageError', { cause: error });
}

describe('a plan', () => {
  it('sends 10 messages per second on each of 100 connections if nothing is said', async () => {
    expect(await planOf({})).toEqual({
      target: {
        url: URL,
        headers: [],
        subprotocols: [],
        compression: false,
        tokens: [],
        insecure: false,
        ca: null,
        cert: null,
        key: null,
        sourceAddresses: [],
      },
      mode: 'echo',
      connections: 100,
      load: { model: 'open', rate: 1000, perConnection: true, arrivals: 'constant', seed: 1 },
      message: { opcode: 2, size: { kind: 'fixed', bytes: 32 } },
      phases: {
        rampMs: 0,
        warmupMs: 1000,
        durationMs: 10_000,
        drainMs: 5000,
        connectTimeoutMs: 10_000,
      },
      workers: 1,
      precise: false,
      engine: 'fast',
      fanout: null,
    } satisfies LoadPlan);
  });

  it('takes messages per second for each connection and a rate for all of them', async () => {
    const each = await planOf({ connections: 1000, messagesPerSecond: 100 });
    expect(each.load).toMatchObject({ model: 'open', rate: 100_000 });
    const total = await planOf({ connections: 1000, rate: 100, arrivals: 'poisson', seed: 7 });
    expect(total.load).toEqual({ model: 'open', rate: 100, arrivals: 'poisson', seed: 7 });
  });

  it('is a closed loop with a pipeline', async () => {
    expect((await planOf({ pipeline: 16 })).load).toEqual({ model: 'closed', depth: 16, seed: 1 });
  });

  it.each([
    ['60s', undefined, 60_000, 5000],
    ['10m', undefined, 600_000, 5000],
    ['1h', '0', 3_600_000, 0],
    ['2s', undefined, 2000, 200],
    ['500ms', '1s', 500, 1000],
  ])('of duration %s and warm-up %s', async (durationMs, warmupMs, duration, warmup) => {
    const { phases } = await planOf({ durationMs, warmupMs });
    expect(phases).toMatchObject({ durationMs: duration, warmupMs: warmup });
  });

  it.each([
    [1, 1],
    [999, 1],
    [1000, 2],
    [10_000, 3],
  ])('of %i connections has %i workers on four cores', async (connections, workers) => {
    expect((await planOf({ connections })).workers).toBe(workers);
  });

  it('has the workers that were asked for, and no more than connections', async () => {
    expect((await planOf({ workers: '2', connections: 1 })).workers).toBe(1);
    expect((await planOf({ workers: 2 })).workers).toBe(2);
  });

  it('lasts an hour in the mode soak, and measures round trips', async () => {
    const { mode, phases } = await planOf({ mode: 'soak' });
    expect(mode).toBe('echo');
    expect(phases).toMatchObject({ durationMs: 3_600_000, warmupMs: 5000 });
  });

  it('takes the full client for compression', async () => {
    expect((await planOf({ compression: true })).engine).toBe('client');
  });

  it('publishes messages of our chat servers at the rate of its publishers', async () => {
    const plan = await planOf({ mode: 'fanout', publishers: 2, messagesPerSecond: 5, size: 20 });
    expect(plan.load).toMatchObject({ rate: 10 });
    expect(plan.message.opcode).toBe(1);
    expect(plan.fanout).toEqual({
      publishers: 2,
      join: ['{"type":"join","room":"benchmark"}'],
      publish: '{"type":"message","room":"benchmark","text":"{{id}}xxxx"}',
      toSelf: true,
    });
  });

  it('publishes what it is told, to a server of any kind', async () => {
    const plan = await planOf({ mode: 'fanout', join: [], publish: 'PUB {{id}}', toSelf: false });
    expect(plan.fanout).toEqual({ publishers: 1, join: [], publish: 'PUB {{id}}', toSelf: false });
  });

  it('is one of fan-out for a project that does not echo, without rooms if that has none', async () => {
    const input = BenchmarkInput.parse({ project: 'chat' });
    const { mode, planFor } = await prepare(input, '.', { machine: MACHINE });
    const reached = { url: URL, contract: { type: 'chat', echo: false, rooms: false } };
    expect(mode(reached)).toBe('fanout');
    expect(planFor(reached).fanout).toMatchObject({
      join: [],
      publish: '{"type":"message","text":"{{id}}"}',
    });
    const pubsub = { url: URL, contract: { type: 'pubsub', echo: false, rooms: false } };
    expect(planFor(pubsub).fanout).toMatchObject({
      join: ['{"type":"subscribe","topic":"benchmark"}'],
      publish: '{"type":"publish","topic":"benchmark","data":"{{id}}"}',
    });
  });

  it('reads payload, tokens and PEM files', async () => {
    const folder = temporaryFolder();
    const pem = createCertificate(folder, { name: 'IP:127.0.0.1' });
    writeFileSync(path.join(folder, 'client-key.pem'), pem.key);
    writeFileSync(path.join(folder, 'payload'), Buffer.from([0xff, 0x00]));
    writeFileSync(path.join(folder, 'tokens'), 'one\r\ntwo\n\n');
    const plan = await planOf(
      {
        size: 'payload',
        tokenFile: 'tokens',
        ca: pem.certFile,
        cert: pem.certFile,
        key: 'client-key.pem',
        headers: ['X-A:  b: c '],
      },
      {},
      folder,
    );
    expect(plan.message.size).toEqual({ kind: 'sample', base64: '/wA=' });
    expect(plan.target.tokens).toEqual(['one', 'two']);
    expect(plan.target.headers).toEqual([['X-A', 'b: c']]);
    expect(plan.target.key).toContain('PRIVATE KEY');
  });

  it('adds a rule against errors unless one of the rules allows for some', async () => {
    const texts = async (thresholds: string[]): Promise<string[]> => {
      const input = BenchmarkInput.parse({ url: URL, thresholds });
      return (await prepare(input, '.', { machine: MACHINE })).thresholds.map(({ text }) => text);
    };
    expect(await texts(['p99<20ms'])).toEqual(['p99<20ms', 'errors<=0']);
    expect(await texts(['errors<1%'])).toEqual(['errors<1%']);
    expect(await texts(['lost<5'])).toEqual(['lost<5']);
  });
});

describe('a rate', () => {
  it('is refused when not one message would be due', async () => {
    const error = await refusal({ rate: 0.05, durationMs: '10s' });
    expect(error.message).toBe('--rate is 0.05, so that no message is due in 10 s');
    expect(error.hint).toBe('raise it, or --duration to 20s');
  });

  it('is refused above what a duration can hold', async () => {
    const error = await refusal({ rate: 1_000_000, durationMs: '2h' });
    expect(error.message).toBe(
      '--rate is 1000000, 7205000000 messages in this duration, expected at most 4294967295',
    );
    expect(error.hint).toBe('lower it, or --duration to 4294s');
  });

  it('is refused above what any machine sends, per connection as in total', async () => {
    const error = await refusal({ messagesPerSecond: 1e6 });
    expect(error.message).toBe(
      '--messages-per-second is 1000000, 100000000 messages per second in all, expected at most 50000000',
    );
  });
});

describe('connections', () => {
  it('are refused above what descriptors allow, with the limit and how to raise it', async () => {
    const error = await refusal({ connections: 19_950 });
    expect(error.message).toBe(
      '--connections is 19950, expected at most 19900: this process may open 20000 descriptors',
    );
    expect(error.hint).toContain('ulimit -n 20050');
    await expect(planOf({ connections: 19_900 })).resolves.toBeDefined();
  });

  it('are refused above what the ports of the source addresses allow', async () => {
    const many = { descriptors: 100_000 };
    const error = await refusal({ connections: 28_233 }, many);
    expect(error.message).toBe(
      '--connections is 28233, expected at most 28232: 28232 free ports ' +
        '(net.ipv4.ip_local_port_range) on one local address',
    );
    expect(error.hint).toContain('--source-ip auto');
    const two = { connections: 56_465, sourceIps: ['127.0.0.2', '127.0.0.3'] };
    expect((await refusal(two, many)).message).toContain('expected at most 56464');
    const remote = await refusal({ url: 'ws://192.0.2.9/', connections: 28_233 }, many);
    expect(remote.hint).toContain('--distributed');
  });

  it('come from as many loopback addresses as are needed, and from one address if that will do', async () => {
    const many = { descriptors: 100_000 };
    const auto = { url: 'ws://localhost:9/', connections: 60_000, sourceIps: ['auto'] };
    const { target } = await planOf(auto, many);
    expect(target.sourceAddresses).toEqual(['127.1.0.1', '127.1.0.2', '127.1.0.3']);
    expect(target.url).toBe('ws://127.0.0.1:9/');
    expect((await planOf({ sourceIps: ['auto'] })).target.sourceAddresses).toEqual([]);
  });

  it("come from this machine's addresses of the right family to a server elsewhere", async () => {
    const many = { descriptors: 200_000 };
    const auto = { url: 'ws://198.51.100.1/', sourceIps: ['auto'] };
    const { target } = await planOf({ ...auto, connections: 50_000 }, many);
    expect(target.sourceAddresses).toEqual(['192.0.2.1', '192.0.2.2']);
    const error = await refusal({ ...auto, connections: 60_000 }, many);
    expect(error.message).toContain('expected at most 56464');
  });
});

describe('bad input', () => {
  it.each<[Given, string, string?]>([
    [{ rate: 1, messagesPerSecond: 1 }, '--rate excludes --messages-per-second'],
    [{ rate: 1, pipeline: 1 }, '--pipeline excludes --rate'],
    [{ messagesPerSecond: 1, pipeline: 1 }, '--pipeline excludes --messages-per-second'],
    [{ text: true, binary: true }, '--text excludes --binary'],
    [{ findMax: true }, '--find-max needs --slo', 'as in --slo "p99<50ms"'],
    [{ slo: 'p99<1s' }, '--slo needs --find-max'],
    [{ findMax: true, slo: 'p99<1s', pipeline: 1 }, '--find-max excludes --pipeline'],
    [{ findMax: true, slo: 'p99<1s', repeat: 2 }, '--find-max excludes --repeat'],
    [{ compare: 'ws://b/', repeat: 1 }, '--repeat is 1, expected at least 2 blocks'],
    [{ remoteWorkers: 2 }, '--remote-workers needs --distributed'],
    [{ cert: 'a' }, '--cert needs --key'],
    [{ key: 'a' }, '--key needs --cert'],
    [{ ca: 'a', insecure: true }, '--ca excludes --insecure'],
    [{ scenario: 'a', mode: 'echo' }, '--scenario excludes --mode'],
    [
      { distributed: 'redis://localhost', sourceIps: ['auto'] },
      '--distributed excludes --source-ip',
    ],
    [{ publishers: 2 }, '--publishers does not apply to mode echo', 'use --mode fanout'],
    [{ mode: 'idle', rate: 5 }, '--rate does not apply to mode idle'],
    [{ mode: 'connect', pipeline: 1 }, '--pipeline does not apply to mode connect'],
    [{ mode: 'fanout', binary: true }, '--binary does not apply to mode fanout'],
    [{ mode: 'fanout', publishers: 101 }, '--publishers is 101, expected at most --connections'],
    [{ mode: 'fanout', publish: 'x' }, '--publish is "x", expected it to contain {{id}} once'],
    [{ mode: 'fanout', publish: '{{id}}', size: 20 }, '--publish excludes --size'],
    [{ mode: 'fanout', size: 15 }, '--size is "15", expected 16 to 4096 bytes'],
    [{ size: 'uniform:9-8' }, '--size is "uniform:9-8", expected bytes up to'],
    [{ size: 'uniform:9' }, '--size is "uniform:9", expected bytes up to'],
    [{ size: '-1' }, '--size is "-1", expected bytes up to'],
    [{ size: '99999999' }, '--size is "99999999", expected bytes up to'],
    [
      { sourceIps: ['auto', '127.0.0.1'] },
      '--source-ip is auto and addresses, expected one of the two',
    ],
    [{ sourceIps: ['here'] }, '--source-ip holds "here", expected addresses of this machine'],
    [{ sourceIps: ['::1'] }, '--source-ip holds "::1", which is IPv6'],
    [
      { sourceIps: ['198.51.100.7'] },
      '--source-ip holds "198.51.100.7", which is not an address of this machine',
      'this machine has 192.0.2.1, 192.0.2.2, 2001:db8::1',
    ],
    [{ thresholds: ['rate>=0.9'], pipeline: 1 }, 'rate is not measured'],
  ])('%j is refused', async (given, message, hint) => {
    const error = await refusal(given);
    expect(error.code).toBe('WSK_ERR_INVALID_INPUT');
    expect(error.message).toContain(message);
    if (hint !== undefined) expect(error.hint).toContain(hint);
  });

  it.each([
    [{ size: 'no-such-file' }, '--size'],
    [{ tokenFile: 'no-such-file' }, '--token-file'],
    [{ ca: 'no-such-file' }, '--ca'],
    [{ cert: 'no-such-file', key: 'no-such-file' }, '--cert'],
  ])('%j cannot be read', async (given, flag) => {
    const error = await refusal(given);
    expect(error.code).toBe('WSK_ERR_FILE_NOT_READABLE');
    expect(error.message).toBe(`${flag} is "no-such-file", which cannot be read (ENOENT)`);
  });

  it('names files that hold something else', async () => {
    const folder = temporaryFolder();
    const file = path.join(folder, 'file');
    writeFileSync(file, '\n');
    expect((await refusal({ tokenFile: file })).message).toContain('which holds no token');
    expect((await refusal({ ca: file })).message).toContain('which holds no PEM');
    writeFileSync(file, 'good\nnot good\n');
    expect((await refusal({ tokenFile: file })).message).toContain('token 2 holds spaces');
    writeFileSync(file, Buffer.from([0xff]));
    expect((await refusal({ size: file, text: true })).message).toContain('is not UTF-8');
  });
});
