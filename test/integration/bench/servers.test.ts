import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runNode } from '../../support/programs.ts';
import { installDebian, program, requirement } from '../../support/requirement.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const bench = fileURLToPath(new URL('../../../bench/servers/', import.meta.url));

/** The bench for some servers of its table; all others need more than `npm ci`. */
async function runBench(...args: string[]): ReturnType<typeof runNode> {
  return await runNode([path.join(bench, 'run.mjs'), ...args]);
}

function testServer(name: string): void {
  it(`judges ${name} as pinned`, async () => {
    const { code, stdout, stderr } = await runBench('--only', name);
    expect(stderr).toBe('');
    expect(stdout).toContain('\n0 differences from the pinned verdicts\n');
    expect(stdout).not.toContain('NOT TESTED');
    expect(code).toBe(0);
  }, 120_000);
}

describe('servers of npm', () => {
  testServer('ws');
  testServer('faye-websocket');
});

for (const [name, flag] of [
  ['nginx', '-v'],
  ['haproxy', '-v'],
] as const) {
  requirement(name, program(name, [flag]), () => {
    installDebian(name);
  })('a proxy', () => {
    testServer(name);
  });
}

describe('the pinned verdicts', () => {
  it('are said to differ when they do', async () => {
    const text = readFileSync(path.join(bench, 'verdicts.json'), 'utf8');
    const verdicts = JSON.parse(text) as { ws: Record<string, unknown> };
    const file = path.join(temporaryFolder(), 'verdicts.json');
    verdicts.ws['test'] = { warn: 'text' };
    writeFileSync(file, JSON.stringify(verdicts));
    const { code, stdout } = await runBench('--only', 'ws', '--verdicts', file);
    expect(stdout).toContain('DIFFERENT: test text: not mentioned, pinned is warn');
    expect(code).toBe(1);
  });

  it('are in the README as a table', async () => {
    const { stdout } = await runBench('--table');
    expect(readFileSync(path.join(bench, 'README.md'), 'utf8')).toContain(stdout);
  });

  it('give each fail a reason with its section', () => {
    const text = readFileSync(path.join(bench, 'verdicts.json'), 'utf8');
    const verdicts = JSON.parse(text) as Record<string, Record<string, { fail?: object }>>;
    const reasons = Object.values(verdicts).flatMap((operations) =>
      Object.values(operations).flatMap(({ fail = {} }) => Object.keys(fail)),
    );
    expect(reasons).not.toHaveLength(0);
    for (const reason of reasons) expect(reason).toMatch(/^RFC \d{4} section [\d.]+: /);
  });
});
