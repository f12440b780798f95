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
  notes: [],
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

/** The manifest, what an update starts from, and the rows of the contract for every set of features. */
const MADE_BY_MACHINES = ['.wsgen.json', '.wsgen.base', 'public/client.js', 'test/contract.mjs'];

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

  it.each(['chat', 'pubsub', 'live-updates', 'collab'] as const)(
    'puts into the image of a %s server what there is',
    (type) => {
      const { files } = generate({ ...CHAT, type, features: [] });
      // npm writes it.
      const names = [...files.keys(), 'package-lock.json'];
      const copied = [...(files.get('Dockerfile') ?? '').matchAll(/^COPY (?!--)(.*) \S+$/gm)];
      expect(copied.length).toBeGreaterThan(1);
      for (const name of copied.flatMap(([, list = '']) => list.split(' '))) {
        expect(names.some((one) => one === name || one.startsWith(`${name}/`))).toBe(true);
      }
    },
  );

  it('puts every answer into a Python project and a Python file', () => {
    const python = { ...ECHO_FILE, language: 'python', fileName: 'echo.py' } as const;
    const project = { ...python, form: 'project' } as const;
    expect(file(project, 'pyproject.toml')).toContain('name = "my-chat"');
    for (const text of [file(python, 'echo.py'), file(project, 'src/ws_server/config.py')]) {
      expect(text).toContain('"PORT", 9000, 0, 65_535');
      expect(text).toContain('"MAX_PAYLOAD", 65536,');
      expect(text).toContain('"PING_INTERVAL", 12000,');
      expect(text).toContain('"COMPRESSION", "none",');
      expect(text).toContain('server_no_context_takeover=False,');
      expect(text).toContain(`SUBPROTOCOLS = ("a.v1", "it's")\n`);
    }
    const config = file({ ...project, subprotocols: ['one'] }, 'src/ws_server/config.py');
    expect(config).toContain('SUBPROTOCOLS = ("one",)\n');
  });

  it('joins the modules of Python, each after those it needs, with each import once', () => {
    const python = { ...ECHO_FILE, language: 'python', fileName: '-echo.py' } as const;
    const text = file(python, '-echo.py');
    expect(generate(python).manifest.commands.start).toEqual(['python3', './-echo.py']);
    const lines = text.split('\n');
    const imports = lines.filter((line) => /^(?:import|from) /.test(line));
    const modules = imports.map((line) => line.split(' ', 2).join(' '));
    expect(new Set(modules).size).toBe(modules.length);
    expect(text).not.toMatch(/^from \.|#if |#endif|#~/m);
    const places = ['def on_message', 'class Receiver', 'class Server', 'def main'];
    const at = places.map((place) => lines.findIndex((line) => line.startsWith(place)));
    expect(at).toEqual([...at].sort((one, other) => one - other));
    expect(lines.slice(-3)).toEqual(['if __name__ == "__main__":', '    main()', '']);
  });

  it('leaves no trace of a feature that was not asked for', () => {
    const { files } = generate({ ...CHAT, features: [] });
    const text = [...files]
      .filter(([path]) => !MADE_BY_MACHINES.includes(path))
      .map(([path, content]) => [path, content].join(' '))
      .join('\n')
      // The one that everybody is in.
      .replaceAll(/\broom\b|\bRoom\b|members of rooms/g, '');
    expect(text).not.toMatch(/\bpresence\b|\bhistory\b|\brooms?\b/i);
    const withRooms = [...generate({ ...CHAT, features: ['rooms'] }).files]
      .flatMap(([path, content]) => (MADE_BY_MACHINES.includes(path) ? [] : content))
      .join('\n');
    expect(withRooms).not.toMatch(/presence|PRESENCE_GRACE|HISTORY_/);
  });

  it('writes nothing that only the generator needs', () => {
    for (const answers of [CHAT, { ...CHAT, type: 'echo', features: [] } as const, ECHO_FILE]) {
      for (const [path, text] of generate(answers).files) {
        expect(path).not.toMatch(/template\.json|\.txt$/);
        if (MADE_BY_MACHINES.includes(path)) continue;
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
    expect(manifest.userFiles).toEqual(
      ['authorize', 'identify', 'messages'].map((name) => `src/handlers/${name}.ts`),
    );
    const others = [...files].filter(([path]) => !path.startsWith('.wsgen.'));
    expect(manifest.files).toEqual(
      Object.fromEntries(others.map(([path, text]) => [path, sha256(text)])),
    );
  });
});
