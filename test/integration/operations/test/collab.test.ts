import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failedIds, runTest } from '../../../support/endpoint.ts';
import { generateForTest } from '../../../templates/generated.ts';
import type { GeneratedServer } from '../../../templates/generated.ts';

const INPUT = { messages: 10, timeoutMs: 3000 };

describe('test --project of a collab server', () => {
  let server: GeneratedServer;
  beforeAll(async () => {
    server = await generateForTest({ type: 'collab', features: ['auth'] });
  }, 120_000);
  afterAll(() => server.dispose());

  it('lets clients edit a document together', async () => {
    const report = await runTest({ ...INPUT, project: server.project });
    expect(failedIds(report.checks)).toEqual([]);
    expect(report.checks[0]).toMatchObject({ id: 'collab', verdict: 'pass' });
  }, 60_000);

  it.each([
    ['passes nothing on', 'client !== except', 'false', /what the other has written/],
    [
      'answers with nothing',
      'document.since(message.vector)',
      'Buffer.of(0, 0)',
      /both have written/,
    ],
    ['takes what is malformed', 'client.close(why)', 'void why', /1007/],
  ] as const)(
    'finds out that a server %s',
    async (_, find, replacement, detail) => {
      const file = path.join(server.folder, 'dist/src/collab.js');
      const text = readFileSync(file, 'utf8');
      expect(text).toContain(find);
      writeFileSync(file, text.replace(find, replacement));
      try {
        const report = await runTest({ ...INPUT, timeoutMs: 1500, project: server.project });
        expect(failedIds(report.checks)).toContain('collab');
        expect(report.checks[0]?.detail).toMatch(detail);
      } finally {
        writeFileSync(file, text);
      }
    },
    60_000,
  );
});
