import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadSettings } from '../../../src/config/index.ts';
import { CONFIG_PATH } from '../../../src/config/resolve.ts';
import type { UsageError } from '../../../src/core/errors.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { usageErrorOf } from '../../support/usage-error.ts';

function project(yaml: string): string {
  const folder = temporaryFolder();
  mkdirSync(path.join(folder, path.dirname(CONFIG_PATH)), { recursive: true });
  writeFileSync(path.join(folder, CONFIG_PATH), yaml);
  return folder;
}

const failure = (cwd: string, env: NodeJS.ProcessEnv = {}): UsageError =>
  usageErrorOf(() => loadSettings({ cwd, env }));

describe('loadSettings', () => {
  it('falls back to the documented defaults', () => {
    const { settings, origins, file } = loadSettings({ cwd: temporaryFolder(), env: {} });
    expect(settings).toEqual({
      defaultPort: 8080,
      maxPayload: 104_857_600,
      pingInterval: 30_000,
      compression: { enabled: true, serverNoContextTakeover: true },
      subprotocols: [],
    });
    expect(new Set(Object.values(origins))).toEqual(new Set(['default']));
    expect(file).toBeUndefined();
  });

  it('reads the file that this repository ships as its documentation', () => {
    const shipped = readFileSync(new URL(`../../../${CONFIG_PATH}`, import.meta.url), 'utf8');
    const { settings } = loadSettings({ cwd: project(shipped), env: {} });
    expect(settings.subprotocols).toEqual(['graphql-ws', 'wamp.2.json']);
    expect(settings.compression).toEqual({ enabled: true, serverNoContextTakeover: true });
  });

  it('finds the file from a folder below the project', () => {
    const folder = project('websocket:\n  defaultPort: 9100\n');
    const below = path.join(folder, 'a', 'b');
    mkdirSync(below, { recursive: true });
    const { settings, origins } = loadSettings({ cwd: below, env: {} });
    expect(settings.defaultPort).toBe(9100);
    expect(origins['defaultPort']).toBe(`file ${path.join(folder, CONFIG_PATH)}:2`);
  });

  it('names a file in a folder above, and says nothing of one in this folder', () => {
    const folder = project('websocket: {}\n');
    const below = path.join(folder, 'a');
    mkdirSync(below);
    const file = path.join(folder, CONFIG_PATH);
    expect(loadSettings({ cwd: folder, env: {} })).toMatchObject({ file, note: undefined });
    const note = `settings are read from ${file}`;
    expect(loadSettings({ cwd: below, env: {} })).toMatchObject({ file, note });
  });

  it.skipIf(process.getuid?.() !== 0)(
    'does not use the file of another user in a folder above (needs root to make one)',
    () => {
      const folder = project('websocket: { maxPayload: 1 }\n');
      const below = path.join(folder, 'a');
      mkdirSync(below);
      const file = path.join(folder, CONFIG_PATH);
      chownSync(file, 65_534, 65_534);
      const note = `${file} belongs to another user (uid 65534) and is not used`;
      const found = loadSettings({ cwd: below, env: {} });
      expect(found).toMatchObject({ file: undefined, note });
      expect(found.settings.maxPayload).toBe(104_857_600);
      expect(loadSettings({ cwd: folder, env: {} }).settings.maxPayload).toBe(1);
    },
  );

  it('puts the environment above the file', () => {
    const cwd = project('websocket:\n  maxPayload: 1000\n  compression: { enabled: true }\n');
    const env = { WS_MAX_PAYLOAD: '2000', WS_COMPRESSION: 'false', WS_PING_INTERVAL: '500' };
    const { settings, origins } = loadSettings({ cwd, env });
    expect(settings).toMatchObject({
      maxPayload: 2000,
      pingInterval: 500,
      compression: { enabled: false, serverNoContextTakeover: true },
    });
    expect(origins).toMatchObject({
      maxPayload: 'env WS_MAX_PAYLOAD',
      pingInterval: 'env WS_PING_INTERVAL',
      'compression.enabled': 'env WS_COMPRESSION',
      'compression.serverNoContextTakeover': 'default',
    });
  });

  it('counts an empty variable as not set', () => {
    const { origins } = loadSettings({ cwd: temporaryFolder(), env: { WS_MAX_PAYLOAD: '' } });
    expect(origins['maxPayload']).toBe('default');
  });

  it.each([
    ['websocket:\n  defaultPort: 70000\n', 2, /defaultPort is 70000.*65535/],
    ['websocket:\n\n  maxPayload: -1\n', 3, /maxPayload is -1/],
    ['websocket:\n  pingInterval: soon\n', 2, /pingInterval is "soon".*expected number/],
    ['websocket:\n  compression:\n    enabled: maybe\n', 3, /compression\.enabled is "maybe"/],
    ['websocket:\n  subprotocols: ["a b"]\n', 2, /subprotocols\.0 is "a b".*token/],
    ['websocket: 7\n', 1, /websocket is 7/],
    ['other: 1\n', 1, /unknown key "other"/],
    ['[1, 2]\n', 1, /expected the one key "websocket"/],
    ['websocket:\n  a: [\n', 3, /flow/i],
  ])('names file, line, key and value of %j', (yaml, line, message) => {
    const cwd = project(yaml);
    const error = failure(cwd);
    expect(error.code).toBe('WSK_ERR_INVALID_CONFIG');
    expect(error.message).toContain(`${path.join(cwd, CONFIG_PATH)}:${line}: `);
    expect(error.message).toMatch(message);
  });

  const bomb = ['  a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]'];
  for (const [n, name] of Array.from('bcdefghij').entries()) {
    bomb.push(`  ${name}: &${name} [${Array(9).fill(`*${'abcdefghij'[n]}`).join(', ')}]`);
  }
  it.each([
    ['an alias of nothing', 'websocket: *nope\n', /alias.*nope/],
    ['an alias that contains itself', 'websocket:\n  subprotocols: &a [*a]\n', /alias/],
    ['aliases that multiply', `websocket:\n${bomb.join('\n')}\n`, /alias/],
    ['a tag beyond the core schema', 'websocket: !!omap [maxPayload: 5]\n', /tag/],
    ['many levels', `websocket: ${'['.repeat(5000)}${']'.repeat(5000)}\n`, /nested too deeply/],
    ['lists of lists in a line', `websocket:\n${'- '.repeat(50_000)}1\n`, /nested too deeply/],
    ['too many levels to parse', `websocket: ${'['.repeat(100_000)}\n`, /nested too deeply/],
    ['too many bytes', `websocket: {}\n${'# x\n'.repeat(70_000)}`, /larger than 256 KiB/],
  ])('refuses %s', (_, yaml, message) => {
    const error = failure(project(yaml));
    expect(error.code).toBe('WSK_ERR_INVALID_CONFIG');
    expect(error.message).toMatch(message);
    expect(error.message).toContain(CONFIG_PATH);
  });

  it.skipIf(process.platform === 'win32')('refuses a pipe without waiting for its writer', () => {
    const cwd = project('');
    rmSync(path.join(cwd, CONFIG_PATH));
    execFileSync('mkfifo', [path.join(cwd, CONFIG_PATH)]);
    expect(failure(cwd).message).toMatch(/no regular file/);
  });

  it('refuses a folder', () => {
    const cwd = project('');
    rmSync(path.join(cwd, CONFIG_PATH));
    mkdirSync(path.join(cwd, CONFIG_PATH));
    expect(failure(cwd).message).toMatch(/it is a folder/);
  });

  it.each([
    ['websocket:\n  maxPayloat: 1\n', 'unknown key "maxPayloat"', 'did you mean maxPayload?'],
    [
      'websocket:\n  compression: { enable: true }\n',
      'unknown key "compression.enable"',
      'did you mean enabled?',
    ],
  ])('names the nearest known key for %j', (yaml, message, hint) => {
    const error = failure(project(yaml));
    expect(error.message).toContain(message);
    expect(error.hint).toBe(hint);
  });

  it.each([
    ['WS_MAX_PAYLOAD', '-5', /WS_MAX_PAYLOAD is "-5", expected a whole number of bytes/],
    ['WS_MAX_PAYLOAD', '0', /WS_MAX_PAYLOAD is 0/],
    ['WS_PING_INTERVAL', '30s', /WS_PING_INTERVAL is "30s", expected a whole number of milli/],
    ['WS_COMPRESSION', 'yes', /WS_COMPRESSION is "yes", expected true or false/],
  ])('refuses %s=%s by name', (name, value, message) => {
    expect(failure(temporaryFolder(), { [name]: value }).message).toMatch(message);
  });
});
