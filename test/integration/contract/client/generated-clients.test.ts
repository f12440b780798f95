import { describe, expect, it } from 'vitest';
import { CLIENT_CASES, runClientContract } from '../../../../src/contract/client/index.ts';
import { CLIENT_TYPES } from '../../../../src/generate/client.ts';
import { builtClient } from '../../../support/client-driver.ts';

it('has cases enough, each with its own id', () => {
  expect(CLIENT_CASES.length).toBeGreaterThanOrEqual(30);
  expect(new Set(CLIENT_CASES.map(({ id }) => id)).size).toBe(CLIENT_CASES.length);
});

describe.each(CLIENT_TYPES)('the generated client of a %s server', (type) => {
  it('keeps its promises in every case', { timeout: 240_000 }, async () => {
    const results = await runClientContract({
      type,
      command: 'node dist/src/driver.js {url}',
      cwd: await builtClient(type),
      signal: new AbortController().signal,
      timeoutMs: 15_000,
    });
    expect(results.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
  });
});
