import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { runNode } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const demo = fileURLToPath(new URL('../../scripts/demo.mjs', import.meta.url));

it('verifies a messaging system and prints a short report with its page and the path of the run', async () => {
  const ended = await runNode([demo], { env: { TMPDIR: temporaryFolder() } });
  expect(ended.code, ended.stderr).toBe(0);
  expect(ended.stdout.split('\n').length).toBeLessThan(25);
  const [, runDir = ''] = /run folder\s+(\S+)/.exec(ended.stdout) ?? [];
  expect(existsSync(`${runDir}/state/output.json`)).toBe(true);
  const [, page = ''] = /page\s+(\S+)/.exec(ended.stdout) ?? [];
  expect(existsSync(page)).toBe(true);
  expect(ended.stdout).toContain('handshake passed, server passed, client passed');
  expect(ended.stdout).toMatch(/p50 [\d.]+ ms, p99 [\d.]+ ms, passed/);
  // NO_COLOR is set for all programs of the tests.
  expect(ended.stdout).not.toContain('\u001b');
}, 300_000);

it('prints in colour where that is asked for, and fails when the job does', async () => {
  const env = { TMPDIR: temporaryFolder(), NO_COLOR: '', FORCE_COLOR: '1', WS_MAX_PAYLOAD: 'x' };
  const ended = await runNode([demo], { env });
  expect(ended.code).toBe(1);
  expect(ended.stdout).toContain('\u001b[31m✘');
  expect(ended.stdout).toContain('WS_MAX_PAYLOAD');
}, 120_000);
