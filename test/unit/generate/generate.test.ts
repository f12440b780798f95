import { describe, expect, it } from 'vitest';
import type { Answers } from '../../../src/generate/answers.ts';
import { generate } from '../../../src/generate/generate.ts';
import { Manifest, sha256 } from '../../../src/target/project/manifest.ts';
import { VERSION } from '../../../src/core/version.ts';

const CHAT: Answers = {
  language: 'nodejs',
  type: 'chat',
  form: 'project',
  fileName: 'server',
  name: 'my-chat',
  port: 9000,
  compression: 'none',
  serverNoContextTakeover: false,
  subprotocols: ['a.v1', "it's"],
  features: ['rooms', 'history'],
  maxPayload: 65_536,
  pingInterval: 12_000,
};
const ECHO_FILE: Answers = {
  ...CHAT,
  type: 'echo',
  form: 'file',
  fileName: 'echo.js',
  features: [],
};

function file(answers: Answers, path: string): string {
  const text = generate(answers).files.get(path);
  if (text === undefined) throw new Error(`${path} was not generated`);
  return text;
}

describe('generate', () => {
  it.each([CHAT, ECHO_FILE])('makes the same bytes of the same answers', (answers) => {
    expect([...generate(answers).files]).toEqual([...generate(answers).files]);
    for (const text of generate(answers).files.values()) {
      expect(text).not.toContain('\r\n');
      expect(text.endsWith('\n')).toBe(true);
    }
  });

  it('puts every answer into the project', () => {
    expect(JSON.parse(file(CHAT, 'package.json'))).toMatchObject({ name: 'my-chat' });
    const config = file(CHAT, 'src/config.ts');
    expect(config).toContain('port: 9000,');
    expect(config).toContain('maxPayload: 65536,');
    expect(config).toContain('pingInterval: 12000,');
    expect(config).toContain("compression: 'none',");
    expect(config).toContain('serverNoContextTakeover: false,');
    expect(config).toContain(`subprotocols: ['a.v1', "it's"],`);
    expect(file(CHAT, 'Dockerfile')).toContain('EXPOSE 9000');
    expect(file(CHAT, 'README.md')).toMatch(/^# my-chat\n[^]*port 9000[^]*`a\.v1`, `it's`\./);
  });

  it('keeps a file name that holds ends of lines inside its first line', () => {
    const fileName = 'a\u2028throw 1;\u2029throw 2;\n//.js';
    const [files] = [generate({ ...ECHO_FILE, fileName }).files];
    const lines = (files.get(fileName) ?? '').split(/[\n\r\u2028\u2029]/);
    const plain = file(ECHO_FILE, 'echo.js').split('\n');
    expect(lines.slice(1)).toEqual(plain.slice(1));
    expect(lines[0]).toContain('"a\\u2028throw 1;');
  });

  it('starts a file whose name is a flag as a file', () => {
    const { manifest } = generate({ ...ECHO_FILE, fileName: '--eval.js' });
    expect(manifest.commands.start).toEqual(['node', './--eval.js']);
  });

  it('puts every answer into the single file', () => {
    const text = file(ECHO_FILE, 'echo.js');
    expect(text).toContain("integer('PORT', 9000, 0, 65_535)");
    expect(text).toContain("integer('MAX_PAYLOAD', 65536,");
    expect(text).toContain("integer('PING_INTERVAL', 12000,");
    expect(text).toContain("oneOf('COMPRESSION', 'none',");
    expect(text).toContain('serverNoContextTakeover: false,');
    expect(text).toContain(`list('SUBPROTOCOLS', ['a.v1', "it's"],`);
  });

  it('leaves no trace of a feature that was not asked for', () => {
    const { files } = generate({ ...CHAT, features: [] });
    const text = [...files]
      .filter(([path]) => path !== '.wsgen.json')
      .map(([path, content]) => path + content)
      .join('\n');
    expect(text).not.toMatch(/\bpresence\b|\bhistory\b|\brooms?\b/i);
    const withRooms = [...generate({ ...CHAT, features: ['rooms'] }).files.values()].join('\n');
    expect(withRooms).not.toMatch(/presence|PRESENCE_GRACE|HISTORY_/);
  });

  it('writes nothing that only the generator needs', () => {
    for (const answers of [CHAT, { ...CHAT, type: 'echo', features: [] } as const, ECHO_FILE]) {
      for (const [path, text] of generate(answers).files) {
        expect(path).not.toMatch(/template\.json|\.txt$/);
        expect(text, path).not.toMatch(/#if |#endif|\/\/~|<!--~|ws-app|8080/);
      }
    }
  });

  it('uses no module syntax in the single file, so that it runs in any kind of package', () => {
    const text = file(ECHO_FILE, 'echo.js');
    const [own = ''] = text.split('function defineWs');
    expect(own).not.toMatch(/^(?:import|export)\b|\brequire\(/m);
    expect(text).toContain('Permission is hereby granted, free of charge');
  });

  it('records answers, commands, contract and the hash of each file in .wsgen.json', () => {
    const { files } = generate(CHAT);
    const manifest = Manifest.parse(JSON.parse(files.get('.wsgen.json') ?? ''));
    expect(manifest).toMatchObject({
      generator: 'websocket-skill',
      version: VERSION,
      language: 'nodejs',
      type: 'chat',
      answers: { name: 'my-chat', port: 9000, features: ['rooms', 'history'], compression: 'none' },
      commands: {
        install: ['npm', 'install', '--no-audit', '--no-fund'],
        build: ['npm', 'run', 'build'],
        start: ['node', 'dist/src/main.js'],
      },
      listening: { event: 'listening' },
      contract: { path: '/', echo: false, maxPayload: 65_536, subprotocols: ['a.v1', "it's"] },
    });
    expect(manifest.installed).toContain('node_modules/.package-lock.json');
    const others = [...files].filter(([path]) => path !== '.wsgen.json');
    expect(manifest.files).toEqual(
      Object.fromEntries(others.map(([path, text]) => [path, sha256(text)])),
    );
  });
});
