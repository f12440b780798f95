import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { VERSION } from '../../src/core/version.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  version: string;
  exports: Record<string, unknown>;
  dependencies: Record<string, string>;
  scripts: Record<string, string>;
};

async function packedFiles(): Promise<string[]> {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const { stdout } = await run('npm', args, { cwd: root, maxBuffer: 1 << 26 });
  const [pack] = JSON.parse(stdout) as [{ files: { path: string }[] }];
  return pack.files.map((file) => file.path);
}

describe('what npm publishes', () => {
  it('holds what a user needs and nothing of the workshop', async () => {
    const files = await packedFiles();
    expect(files).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'README.md',
        'SKILL.md',
        '.claude-plugin/marketplace.json',
        'dist/src/index.js',
        'dist/src/index.d.ts',
        'dist/tasks/index.js',
        'dist/processes/websocket-server.js',
        'library/specializations/network-programming/websocket-server.js',
        'skills/websocket/SKILL.md',
        'skills/websocket/scripts/websocket.mjs',
        'templates/nodejs/realtime/template.json',
      ]),
    );
    const tops = new Set(files.map((file) => file.split('/')[0]));
    expect([...tops].sort()).toEqual(
      [
        '.claude-plugin',
        'CHANGELOG.md',
        'LICENSE',
        'README.md',
        'SKILL.md',
        'dist',
        'library',
        'package.json',
        'skills',
        'templates',
      ].sort(),
    );
    expect(
      files.filter((file) =>
        /node_modules|^templates\/.*\/dist\/|\.tsbuildinfo|\.test\.js$/.test(file),
      ),
    ).toEqual([]);
  });

  it('has the version that the program prints', () => {
    expect(VERSION).toBe(manifest.version);
  });
});

// Of the scripts, npm runs `prepare` alone for what it packs from git, where dist/ is not.
it('is built when npm packs it, from a folder or from git', () => {
  expect(manifest.scripts).toMatchObject({ prepare: 'npm run build' });
});

describe('the export surface', () => {
  it('names exactly these values', async () => {
    const surface: Record<string, string[]> = {};
    for (const entry of Object.keys(manifest.exports).filter((key) => key !== './package.json')) {
      const script = `console.log(JSON.stringify(Object.keys(await import(${JSON.stringify(entry.replace('.', 'websocket-skill'))})).sort()))`;
      // A package may import itself by name, through the same map that a user's import meets.
      const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], {
        cwd: root,
      });
      surface[entry] = JSON.parse(stdout) as string[];
    }
    expect(surface).toMatchInlineSnapshot(`
      {
        ".": [
          "ERRORS",
          "EnvironmentError",
          "Settings",
          "UsageError",
          "VERSION",
          "autobahnTest",
          "benchmark",
          "generateClient",
          "generateServer",
          "loadSettings",
          "reportRun",
          "resumeRun",
          "runProcess",
          "runTask",
          "testEndpoint",
          "validateHandshake",
        ],
        "./mcp": [
          "SUBPROTOCOL",
          "Tokens",
          "WebSocketClientTransport",
          "WebSocketServerTransport",
          "offeredSubprotocols",
          "tokenOf",
        ],
        "./operations": [
          "operations",
        ],
        "./processes/websocket-server": [
          "WebsocketServerInputs",
          "checkInputs",
          "process",
        ],
        "./protocol": [
          "CloseCode",
          "Connection",
          "DEFAULT_LIMITS",
          "DEFLATE_EXTENSION",
          "Deflater",
          "FrameDecoder",
          "FrameHeader",
          "HeadDecoder",
          "Inflater",
          "MAX_CONTROL_BYTES",
          "MAX_HEADER_BYTES",
          "MAX_REASON_BYTES",
          "Opcode",
          "ProtocolError",
          "Utf8Stream",
          "VIOLATIONS",
          "acceptKey",
          "acceptOffer",
          "checkRequest",
          "checkResponse",
          "createKey",
          "createRejection",
          "createRequest",
          "createResponse",
          "decodeClose",
          "describeFrame",
          "directionOf",
          "encodeClose",
          "encodeFrame",
          "encodeFrameInto",
          "explainCloseCode",
          "fieldValue",
          "fieldValues",
          "formatExtensions",
          "isControlOpcode",
          "isSendableCloseCode",
          "mask",
          "minimalLengthBytes",
          "negotiate",
          "opcodeName",
          "parseDeflate",
          "parseExtensions",
          "rejectionStatus",
          "toExtension",
          "verifyRequest",
          "verifyResponse",
          "violation",
        ],
        "./tasks": [
          "autobahnTest",
          "benchmark",
          "customHandlers",
          "generateClient",
          "generateServer",
          "reportRun",
          "tasks",
          "testEndpoint",
          "validateHandshake",
          "websocketTask",
        ],
      }
    `);
  });

  it('resolves nothing else', async () => {
    const script = `await import('websocket-skill/dist/src/core/errors.js')`;
    const failed = run(process.execPath, ['--input-type=module', '-e', script], { cwd: root });
    await expect(failed).rejects.toThrow(/ERR_PACKAGE_PATH_NOT_EXPORTED/);
  });
});

it('installs from its own tarball and runs there without the SDK', async () => {
  const folder = temporaryFolder();
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], {
    cwd: root,
  });
  const tarball = path.join(folder, stdout.trim().split('\n').at(-1) ?? '');
  await run('npm', ['init', '-y'], { cwd: folder });
  await run('npm', ['install', '--no-audit', '--no-fund', tarball], { cwd: folder });
  const { stdout: help } = await run('npx', ['websocket-skill', '--help'], { cwd: folder });
  expect(help).toContain('generate-server');
  const script = `const { generateServer } = await import('websocket-skill'); console.log(typeof generateServer)`;
  const imported = await run(process.execPath, ['--input-type=module', '-e', script], {
    cwd: folder,
  });
  expect(imported.stdout).toBe('function\n');
});
