import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  REALTIME_SECTIONS,
  REALTIME_TYPES,
  ROWS,
  SECTIONS,
  contractsOf,
  runContract,
} from '../../../src/contract/index.ts';
import { ENVIRONMENTS } from '../../../src/contract/environments.ts';
import { RowFailure } from '../../../src/contract/terms.ts';

const document = readFileSync('docs/realtime-protocol.md', 'utf8');
const headings = [...document.matchAll(/^#{2,3} (.*)$/gm)].map(([, heading]) => heading);

describe('the rows of the contract', () => {
  it('have ids of their own, which begin with the type or with common', () => {
    const ids = ROWS.map(({ id }) => id);
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
    for (const { id, types } of ROWS) {
      expect(id).toMatch(/^[a-z-]+(?:\.[a-z0-9-]+){2}$/);
      const [first] = id.split('.');
      if (first !== 'common') expect(types).toEqual([first]);
    }
  });

  it.each([
    ...REALTIME_TYPES.map((type) => [120, type] as const),
    [100, 'graphql-ws'] as const,
    [140, 'wamp'] as const,
    [65, 'json-rpc'] as const,
    [130, 'mcp'] as const,
  ])('are %i or more for %s', (least, type) => {
    expect(ROWS.filter(({ types }) => types.includes(type)).length).toBeGreaterThanOrEqual(least);
  });

  it('are of what a project speaks', () => {
    expect(contractsOf('chat', ['chat.v1'])).toEqual(['chat']);
    expect(contractsOf('chat', ['chat.v1', 'json-rpc'])).toEqual(['chat', 'json-rpc']);
    expect(contractsOf('rpc', ['wamp.2.json', 'graphql-transport-ws'])).toEqual([
      'graphql-ws',
      'wamp',
    ]);
    expect(contractsOf('mcp', ['mcp'])).toEqual(['mcp']);
    // A name that is only accepted.
    expect(contractsOf('echo', ['wamp.2.json'])).toEqual([]);
  });

  it('belong to sections of the document, and every section has some', () => {
    expect(headings).toEqual(expect.arrayContaining([...REALTIME_SECTIONS]));
    for (const heading of new Set([...headings, ...SECTIONS])) {
      expect(
        ROWS.some(({ section }) => section === heading),
        heading,
      ).toBe(true);
    }
  });

  it('of mcp have the probes S1 to S13, each by its name', () => {
    const probes = ROWS.flatMap(({ id }) => /^mcp\.(s\d+)\./.exec(id)?.[1] ?? []);
    expect(probes).toEqual(Array.from({ length: 13 }, (_, at) => `s${at + 1}`));
  });

  it.each([
    ['chat', true],
    ['wamp', false],
    ['json-rpc', false],
  ] as const)('of %s may be held to servers that share a Redis: %s', async (type, isShared) => {
    const counts: boolean[] = [];
    await runContract({
      type,
      rows: ROWS.filter((row) => row.environment === undefined && (row.needs ?? []).length === 0),
      features: [],
      launch: (_, mayBeSeveral = false) => {
        counts.push(mayBeSeveral);
        return Promise.reject(new RowFailure('it does not start'));
      },
      secrets: {},
      headers: [],
      tls: {},
      timeoutMs: 1000,
      signal: new AbortController().signal,
    });
    expect(counts).toEqual([isShared]);
  });

  it('name settings that there are', () => {
    for (const { environment = 'standard' } of ROWS) {
      expect(Object.keys(ENVIRONMENTS)).toContain(environment);
    }
  });

  it('cover every close code and error code of the servers', () => {
    const source = [
      'auth',
      'chat',
      'keys',
      'limits',
      'live-updates',
      'messages',
      'processes',
      'pubsub',
    ]
      .map((name) => readFileSync(`src/contract/rows/${name}.ts`, 'utf8'))
      .join(readFileSync('src/contract/dialect.ts', 'utf8'));
    const [, codes = ''] = /### Error codes\n\n([^]*?)\n\n/.exec(document) ?? [];
    const names = [...codes.matchAll(/`([a-z_]+)`/g)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(10);
    expect(names.filter((name = '') => !source.includes(`'${name}'`))).toEqual([]);
    // 4409 is for servers whose memory is elsewhere; 1011 and 1012 are for accidents.
    for (const code of [
      1001, 1002, 1003, 1007, 1008, 1009, 1013, 4401, 4408, 4429, 4500, 4501, 4502,
    ]) {
      expect(source).toContain(String(code));
    }
  });
});
