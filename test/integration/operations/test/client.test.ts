import { symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { TestInput } from '../../../../src/operations/test/schema.ts';
import type { TestReport } from '../../../../src/operations/test/schema.ts';
import { testEndpoint } from '../../../../src/operations/test/test.ts';
import { generateClientIn } from '../../../support/generate-client.ts';
import { operationContext } from '../../../support/operation-context.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const root = fileURLToPath(new URL('../../../..', import.meta.url));

function testClientIn(cwd: string, input: z.input<typeof TestInput>): Promise<TestReport> {
  return testEndpoint(TestInput.parse({ role: 'client', ...input }), operationContext({ cwd }));
}

describe('test --role client', () => {
  it(
    'fails a client that does nothing, and says what it printed',
    { timeout: 240_000 },
    async () => {
      const cwd = temporaryFolder();
      writeFileSync(path.join(cwd, 'client.js'), 'console.error("no idea"); process.exit(1);');
      const command = 'node client.js {url}';
      const report = await testClientIn(cwd, { contract: 'chat', client: command });
      expect(report).toMatchObject({ status: 'failed', success: false, target: command });
      expect(report.summary.passed).toBe(0);
      expect(report.reasons).toMatchObject([
        { verdict: 'fail', reason: 'the client has ended: no idea' },
      ]);
    },
  );

  it('builds a generated client first, and runs its own tests', { timeout: 240_000 }, async () => {
    const cwd = temporaryFolder();
    const { output } = await generateClientIn(cwd, {});
    // What `npm install` would bring.
    symlinkSync(path.join(root, 'node_modules'), path.join(output, 'node_modules'));
    const report = await testClientIn(cwd, { project: 'chat-client', ownTests: true });
    expect(report.checks.filter(({ verdict }) => verdict === 'fail')).toEqual([]);
    expect(report.success).toBe(true);
    expect(report.summary.passed).toBeGreaterThan(30);
    expect(report.checks.at(-1)).toMatchObject({ id: 'own-tests', verdict: 'pass' });
    // Of the cases with tokens, the first finds out that it never asks for one.
    const skipped = report.checks.filter(({ verdict }) => verdict === 'skip');
    expect(skipped.map(({ durationMs }) => durationMs === 0)).toEqual([
      false,
      ...Array.from({ length: skipped.length - 1 }, () => true),
    ]);
    expect(skipped.length).toBeGreaterThan(1);
  });

  it('fails for a client that cannot be built, and for what is none', async () => {
    const cwd = temporaryFolder();
    const { output } = await generateClientIn(cwd, {});
    symlinkSync(path.join(root, 'node_modules'), path.join(output, 'node_modules'));
    writeFileSync(path.join(output, 'src', 'index.ts'), 'const no: number = "text";');
    const tested = testClientIn(cwd, { project: 'chat-client' });
    await expect(tested).rejects.toThrow(/build of the project: `npm run build` ended with/);
    const other = testClientIn(cwd, { project: 'chat-client', contract: 'pubsub' });
    await expect(other).rejects.toThrow(/the client is one of a chat server/);
    await expect(testClientIn(cwd, { project: '.' })).rejects.toThrow(/is not a generated/);
    const none = testClientIn(cwd, { contract: 'chat', client: 'no-such-client {url}' });
    await expect(none).rejects.toThrow('--client begins with "no-such-client"');
  });

  it.each([
    [{ role: 'client' }, /expected --contract and --client/],
    [{ role: 'client', url: 'ws://127.0.0.1:1/', contract: 'chat', client: 'x' }, /gets one/],
    [{ url: 'ws://127.0.0.1:1/', client: 'x' }, /only with --role client/],
  ])('refuses %j', (input, message) => {
    expect(() => TestInput.parse(input)).toThrow(message);
  });
});
