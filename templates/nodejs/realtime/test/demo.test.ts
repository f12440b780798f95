import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startServer } from './support.ts';
import type { TestServer } from './support.ts';

const PATHS = ['/', '/index.html', '/app.js', '/style.css'];
const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url));

describe('the page', () => {
  let on: TestServer;
  let off: TestServer;
  let production: TestServer;
  before(async () => {
    on = await startServer({ DEMO: '1' });
    off = await startServer();
    production = await startServer({ DEMO: '1', NODE_ENV: 'production' });
  });
  after(() => Promise.all([on.stop(), off.stop(), production.stop()]));

  const ask = async (
    { port }: Pick<TestServer, 'port'>,
    path: string,
    init: RequestInit = {},
  ): Promise<Response> => await fetch(`http://localhost:${String(port)}${path}`, init);
  const post = (body = '', origin?: string): RequestInit => ({
    method: 'POST',
    body,
    ...(origin !== undefined && { headers: { Origin: origin } }),
  });

  it('is there with DEMO=1 only, and executes nothing but its own script', async () => {
    for (const path of PATHS) {
      const response = await ask(on, path);
      assert.equal(response.status, 200, path);
      const policy = response.headers.get('content-security-policy') ?? '';
      assert.match(policy, /default-src 'none'; script-src 'self'/);
      assert.doesNotMatch(policy, /unsafe/);
      assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
      assert.notEqual((await ask(off, path)).status, 200, path);
    }
    const page = await (await ask(on, '/')).text();
    assert.match(page, /<script type="module" src="app\.js"><\/script>/);
    assert.doesNotMatch(page, /<script>|<style|style=|\son\w+=/);
  });

  it('gives no other file', async () => {
    for (const path of ['/package.json', '/..%2fpackage.json', '/public/app.js', '/.env']) {
      assert.equal((await ask(on, path)).status, 404, path);
    }
  });

  it('lets nobody stop the process without DEMO=1, in production or from another origin', async () => {
    for (const path of ['/demo/stop', '/demo/token']) {
      assert.equal((await ask(off, path, post('{"user":"ada"}'))).status, 404, path);
      assert.equal((await ask(production, path, post('{"user":"ada"}'))).status, 404, path);
    }
    assert.equal((await ask(production, '/')).status, 200);
    for (const origin of ['https://evil.example', 'http://localhost:1', 'null']) {
      assert.equal((await ask(on, '/demo/stop', post('', origin))).status, 403, origin);
    }
    assert.equal((await ask(on, '/demo/stop')).status, 405);
  });
  // #if auth

  it('gives tokens to itself alone', async () => {
    const own = `http://localhost:${String(on.port)}`;
    const response = await ask(on, '/demo/token', post('{"user":"ada"}', own));
    const { token } = (await response.json()) as { token: string };
    const headers = { Authorization: `Bearer ${token}` };
    assert.equal((await ask(on, '/ticket', { method: 'POST', headers })).status, 200);
    for (const origin of ['https://evil.example', 'http://localhost:1']) {
      const refused = await ask(on, '/demo/token', post('{"user":"ada"}', origin));
      assert.equal(refused.status, 403, origin);
    }
    for (const body of ['', '{}', '{"user":"../x"}', 'null', '{"user":1}']) {
      assert.equal((await ask(on, '/demo/token', post(body, own))).status, 400, body);
    }
  });
  // #endif

  it('stops the process as a crash would', async () => {
    const env = { ...process.env, PORT: '0', DEMO: '1' };
    const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    const port = await new Promise<number>((resolve) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        const { event, port } = JSON.parse(line) as { event: string; port: number };
        if (event === 'listening') resolve(port);
      });
    });
    const own = `http://localhost:${String(port)}`;
    // #if auth
    // Nobody has set a key, and the page signs in all the same.
    assert.equal((await ask({ port }, '/demo/token', post('{"user":"ada"}', own))).status, 200);
    // #endif
    assert.equal((await ask({ port }, '/demo/stop', post('', own))).status, 202);
    assert.deepEqual(await exited, [null, 'SIGKILL']);
  });
});
