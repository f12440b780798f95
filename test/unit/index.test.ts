import { expect, expectTypeOf, it } from 'vitest';
import { testEndpoint, UsageError, validateHandshake } from '../../src/index.ts';
import type { TestReport } from '../../src/operations/test/schema.ts';
import { startWs } from '../support/peers/servers.ts';

it('runs an operation with nothing but what it is about', async () => {
  await using server = await startWs();
  const report = await validateHandshake({ url: server.url, timeoutMs: 2000 });
  expect(report).toMatchObject({ operation: 'validate-handshake', target: server.url });
  expectTypeOf(testEndpoint).returns.resolves.toEqualTypeOf<TestReport>();
});

it('takes a signal and reports progress', async () => {
  await using server = await startWs();
  const stop = new AbortController();
  const report = await validateHandshake(
    { url: server.url },
    { signal: stop.signal, emit: () => stop.abort() },
  );
  expect(report.status).toBe('interrupted');
});

it('refuses a misspelt field by name', async () => {
  // @ts-expect-error -- there is no such field
  const asked = testEndpoint({ url: 'ws://127.0.0.1:1/', mesages: 5 });
  await expect(asked).rejects.toThrow(UsageError);
  await expect(asked).rejects.toThrow(/mesages/);
});

it.each([undefined, null, 5, 'ws://127.0.0.1:1/', []])('refuses %j as the input', async (input) => {
  await expect(testEndpoint(input as never)).rejects.toThrow(UsageError);
});
