import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { exportJWK, SignJWT } from 'jose';
import { WebSocket } from 'ws';
import { Auth, KeysUnavailable } from '../src/auth.ts';
import type { Client } from '../src/client.ts';
import { ConfigError, readConfig } from '../src/config.ts';
import { Credentials } from '../src/credentials.ts';
import type { CredentialsParts } from '../src/credentials.ts';
import type { Identity } from '../src/hooks.ts';
import { Revocations } from '../src/revocations.ts';
import { Tickets } from '../src/tickets.ts';
import {
  connect,
  PATH,
  PROTOCOLS,
  refusalStatus,
  SECRET,
  startServer,
  TestClient,
  tokenFor,
} from './support.ts';
import type { TestServer } from './support.ts';

const ADMIN = 'the-token-of-an-administrator';
const seconds = (): number => Math.floor(Date.now() / 1000);
const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });
const identity = (user: string, more: Partial<Identity> = {}): Identity => ({
  user,
  expiresAt: Date.now() + 600_000,
  issuedAt: undefined,
  tokenId: undefined,
  rooms: [],
  claims: {},
  ...more,
});

/** What credentials need besides their client. */
const partsOf = (auth: Auth): CredentialsParts => ({
  auth,
  config: readConfig({}),
  // #if rate-limit
  enter: () => true,
  // #if redis
  learn: () => Promise.resolve(),
  // #endif
  // #endif
  admit: () => undefined,
  refresh: () => undefined,
  warn: () => true,
});

/** Connects and says nothing of who it is. */
async function anonymous(port: number, path = PATH): Promise<TestClient> {
  const client = new TestClient(new WebSocket(`ws://localhost:${String(port)}${path}`, PROTOCOLS));
  await client.nextOf('auth-required');
  return client;
}

// #if chat || pubsub || live
/** Something that only who is known may do. */
// #if chat
// #if rooms
const COMMAND = { type: 'message', room: 'lobby', text: 'hello' };
// #else
//~ const COMMAND = { type: 'message', text: 'hello' };
// #endif
// #else
// #if pubsub
//~ const COMMAND = { type: 'subscribe', topic: 'a' };
// #else
//~ const COMMAND = { type: 'watch', document: 'status' };
// #endif
// #endif
// #endif

describe('auth', () => {
  let host: TestServer;
  before(async () => {
    host = await startServer({
      AUTH_AUDIENCE: 'tests',
      ADMIN_TOKEN: ADMIN,
      ALLOWED_ORIGINS: 'https://a.example',
    });
  });
  after(() => host.stop());

  const token = (user: string, claims: Record<string, unknown> = {}): Promise<string> =>
    tokenFor(user, { aud: 'tests', ...claims });
  const post = (path: string, sent: string, rest: RequestInit = {}): Promise<Response> =>
    fetch(`http://localhost:${String(host.port)}${path}`, {
      method: 'POST',
      ...rest,
      headers: {
        Authorization: `Bearer ${sent}`,
        ...(rest.headers as Record<string, string> | undefined),
      },
    });
  const enter = async (user: string, claims: Record<string, unknown> = {}): Promise<TestClient> =>
    await connect(host.port, user, bearer(await token(user, claims)));

  it('takes only tokens that are signed, in time and meant for it', async () => {
    const [head, , signature] = (await token('ada')).split('.');
    const [, other] = (await token('root')).split('.');
    const unsigned = Buffer.from('{"alg":"none"}').toString('base64url');
    const bad = [
      `${unsigned}.${String(other)}.`,
      `${String(head)}.${String(other)}.${String(signature)}`,
      'abc.def.ghi',
      'x'.repeat(10_000),
      await token('ada', { exp: undefined }),
      await token('ada', { exp: seconds() - 60 }),
      await token('ada', { exp: 1e300 }),
      await token('ada', { nbf: seconds() + 60 }),
      await token('ada', { iat: seconds() + 60 }),
      await token('ada', { aud: 'others' }),
      await token('a b'),
      await token('ada', { sub: undefined }),
      await token('ada', { jti: 5 }),
    ];
    for (const sent of bad) assert.equal(await refusalStatus(host.port, bearer(sent)), 401, sent);
    // A clock may be a little wrong.
    const client = await enter('ada', { nbf: seconds() + 3, iat: seconds() + 3 });
    client.socket.terminate();
  });

  it('takes no token from a URL, and not two of them', async () => {
    const valid = await token('ada');
    for (const query of [`?token=${valid}`, `?access_token=${valid}`, '?ticket=a&ticket=b']) {
      const path = `${PATH}${query}`;
      assert.equal(await refusalStatus(host.port, { path }), 400, path);
      assert.equal(await refusalStatus(host.port, { path, ...bearer(valid) }), 400, path);
    }
  });

  it('opens one connection per ticket, and gives tickets to pages of allowed origins alone', async () => {
    const answer = await post('/ticket', await token('ada'));
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    const { ticket } = (await answer.json()) as { ticket: string };
    const path = `${PATH}?ticket=${ticket}`;
    const url = `ws://localhost:${String(host.port)}${path}`;
    const client = new TestClient(new WebSocket(url, PROTOCOLS));
    assert.equal((await client.nextOf('welcome'))['user'], 'ada');
    client.socket.terminate();
    assert.equal(await refusalStatus(host.port, { path }), 401);
    assert.equal((await post('/ticket', 'x.y.z')).status, 401);
    for (const [origin, status] of [
      ['https://a.example', 200],
      ['https://b.example', 403],
    ] as const) {
      const page = await post('/ticket', await token('ada'), { headers: { Origin: origin } });
      assert.equal(page.status, status);
      const readable = page.headers.get('access-control-allow-origin');
      assert.equal(readable, status === 200 ? origin : null);
      const asked = await fetch(`http://localhost:${String(host.port)}/ticket`, {
        method: 'OPTIONS',
        headers: { Origin: origin },
      });
      assert.equal(asked.status, status === 200 ? 204 : 403);
    }
  });

  it('asks who is silent, and does nothing for it before', async () => {
    const client = await anonymous(host.port, `${PATH}?user=root`);
    assert.equal((await client.request({ type: 'ping' })).type, 'pong');
    // #if chat || pubsub || live
    const refused = await client.request(COMMAND);
    assert.equal(refused['code'], 'not_authenticated');
    // #endif
    const welcome = await client.request({ type: 'auth', token: await token('ada') });
    assert.deepEqual([welcome.type, welcome['user']], ['welcome', 'ada']);
    client.socket.terminate();
  });

  it('ends who does not say who it is', async (t) => {
    const hasty = await startServer({ AUTH_TIMEOUT: '100' });
    t.after(() => hasty.stop());
    assert.equal(await (await anonymous(hasty.port)).closed, 4500);
  });

  it('ends who says something wrong, or other things without end', async () => {
    const wrong = await anonymous(host.port);
    assert.equal((await wrong.request({ type: 'auth', token: 'x.y.z' }))['code'], 'bad_token');
    assert.equal(await wrong.closed, 4501);
    const eager = await anonymous(host.port);
    for (let n = 0; n < 30; n++) eager.send({ type: 'message', room: 'lobby', text: 'hello' });
    assert.equal(await eager.closed, 1008);
  });

  it('takes a newer token of the same user', async () => {
    const client = await enter('ada', { exp: seconds() + 60 });
    for (const sent of [await token('bob'), await token('ada', { exp: 1 }), 'x.y.z']) {
      assert.equal((await client.request({ type: 'auth', token: sent }))['code'], 'bad_token');
    }
    const exp = seconds() + 100;
    const reply = await client.request({ type: 'auth', token: await token('ada', { exp }) });
    assert.deepEqual(
      [reply.type, reply['expiresAt']],
      ['authenticated', new Date(exp * 1000).toISOString()],
    );
    const short = await enter('ada', { exp: seconds() + 3 });
    assert.equal((await short.nextOf('token-expiring')).type, 'token-expiring');
    assert.equal(await short.closed, 4401);
    client.socket.terminate();
  });

  // #if rooms || pubsub || live
  it('ends what a newer token does not allow any more', async () => {
    // prettier-ignore
    const types = [
      // #if rooms
      { name: 'private-room', protocol: 'chat.v1', command: 'join', left: 'left', key: 'room' },
      // #endif
      // #if pubsub
      { name: 'private-topic', protocol: 'pubsub.v1', command: 'subscribe', left: 'unsubscribed', key: 'topic' },
      // #endif
      // #if live
      { name: 'private-document', protocol: 'live-updates.v1', command: 'watch', left: 'unwatched', key: 'document' },
      // #endif
    ];
    const publisher = SECRET.replaceAll(/\W/g, '-');
    const SUBPROTOCOLS = types.map(({ protocol }) => protocol).join(',');
    const own = await startServer({ SUBPROTOCOLS, PUBLISH_TOKEN: publisher });
    const put = { method: 'PUT', body: '{}', ...bearer(publisher) };
    await fetch(`http://localhost:${String(own.port)}/documents/private-document`, put);
    for (const { name, protocol, command: type, left, key } of types) {
      const command = { type, [key]: name };
      const first = bearer(await tokenFor('ada', { rooms: [name] }));
      const client = await connect(own.port, 'ada', { ...first, protocols: [protocol] });
      assert.notEqual((await client.request(command)).type, 'error');
      client.send({ type: 'auth', token: await tokenFor('ada', { rooms: ['private'] }) });
      assert.deepEqual(await client.next(), { type: left, [key]: name, code: 'forbidden' });
      assert.equal((await client.next()).type, 'authenticated');
      assert.equal((await client.request(command))['code'], 'forbidden');
      client.socket.terminate();
    }
    await own.stop();
  });
  // #endif

  it('ends what an administrator revokes', async () => {
    const sent = await token('eve', { jti: 'one' });
    const stays = await enter('bob');
    const gone = await connect(host.port, 'eve', bearer(sent));
    const body = JSON.stringify({ jti: 'one' });
    assert.equal((await post('/revoke', sent, { body })).status, 401);
    assert.equal((await post('/revoke', ADMIN, { body: '{"user":"a b"}' })).status, 400);
    assert.equal((await post('/revoke', ADMIN, { body })).status, 204);
    assert.equal(await gone.closed, 4502);
    assert.equal(await refusalStatus(host.port, bearer(sent)), 401);
    const { ticket } = (await (await post('/ticket', await token('eve'))).json()) as {
      ticket: string;
    };
    assert.equal((await post('/revoke', ADMIN, { body: '{"user":"eve"}' })).status, 204);
    assert.equal(await refusalStatus(host.port, { path: `${PATH}?ticket=${ticket}` }), 401);
    assert.equal((await stays.request({ type: 'ping' })).type, 'pong');
    stays.socket.terminate();
  });
  // #if rooms

  it('opens private rooms to those whose token names them', async () => {
    const join = { type: 'join', room: 'private-a' };
    const outside = await enter('ada', { rooms: ['private-b', 'private-'] });
    assert.equal((await outside.request(join))['code'], 'forbidden');
    await outside.request({ type: 'auth', token: await token('ada', { rooms: ['private-a'] }) });
    assert.equal((await outside.request(join)).type, 'joined');
    outside.socket.terminate();
  });
  // #endif
});

describe('keys', () => {
  it('allow the algorithm of their kind alone', async () => {
    const pairs = [
      [generateKeyPairSync('rsa', { modulusLength: 2048 }), 'RS256', 'RS512'],
      [generateKeyPairSync('ec', { namedCurve: 'P-256' }), 'ES256', undefined],
      [generateKeyPairSync('ed25519'), 'EdDSA', undefined],
    ] as const;
    for (const [{ publicKey, privateKey }, right, wrong] of pairs) {
      const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
      const auth = new Auth(readConfig({ AUTH_PUBLIC_KEY: pem.replaceAll('\n', '\\n') }));
      const sign = (alg: string, key: Parameters<SignJWT['sign']>[0]): Promise<string> =>
        new SignJWT({ sub: 'ada', exp: seconds() + 60 }).setProtectedHeader({ alg }).sign(key);
      assert.ok('identity' in (await auth.verify(await sign(right, privateKey))), right);
      if (wrong !== undefined)
        assert.ok('why' in (await auth.verify(await sign(wrong, privateKey))));
      // The public key is no secret: who takes it for one must not get in.
      assert.ok('why' in (await auth.verify(await sign('HS256', Buffer.from(pem)))));
    }
  });

  it('may come from a URL; while they cannot be had, nobody is told that the token is bad', async (t) => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg: 'ES256' }] });
    let isUp = false;
    const source = createServer((_, response) => {
      response.writeHead(isUp ? 200 : 500).end(keys);
    }).listen(0);
    await once(source, 'listening');
    const { port } = source.address() as AddressInfo;
    const keysUrl = `http://localhost:${String(port)}/keys`;
    const host = await startServer({ AUTH_SECRET: '', AUTH_JWKS_URL: keysUrl });
    t.after(async () => {
      await host.stop();
      source.close();
    });
    const token = await new SignJWT({ sub: 'ada', exp: seconds() + 60 })
      .setProtectedHeader({ alg: 'ES256' })
      .sign(privateKey);
    assert.equal(await refusalStatus(host.port, bearer(token)), 503);
    const ticket = { method: 'POST', ...bearer(token) };
    const answer = await fetch(`http://localhost:${String(host.port)}/ticket`, ticket);
    assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '5']);
    const waiting = await anonymous(host.port);
    const refused = await waiting.request({ type: 'auth', token });
    assert.deepEqual([refused['code'], refused['retryAfterMs']], ['unavailable', 5000]);
    assert.equal(await waiting.closed, 1013);
    isUp = true;
    const client = await connect(host.port, 'ada', bearer(token));
    client.socket.terminate();
    assert.equal(await refusalStatus(host.port, bearer(await tokenFor('ada'))), 401);
  });

  it('may be changed: a new one is unknown only after a fetch, and a token need not name one', async (t) => {
    const pairs = Array.from({ length: 3 }, () =>
      generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    );
    let count = 1;
    const source = createServer((_, response) => {
      const published = pairs.slice(0, count).map(async ({ publicKey }, index) => {
        return { ...(await exportJWK(publicKey)), alg: 'ES256', kid: String(index) };
      });
      void Promise.all(published).then((keys) => response.end(JSON.stringify({ keys })));
    }).listen(0);
    await once(source, 'listening');
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
    const { port } = source.address() as AddressInfo;
    const keysUrl = `http://localhost:${String(port)}/keys`;
    const host = await startServer({ AUTH_SECRET: '', AUTH_JWKS_URL: keysUrl });
    t.after(async () => {
      await host.stop();
      source.close();
    });
    const sign = (index: number, kid?: string): Promise<string> =>
      new SignJWT({ sub: 'ada', exp: seconds() + 600 })
        .setProtectedHeader({ alg: 'ES256', ...(kid !== undefined && { kid }) })
        .sign((pairs[index] ?? generateKeyPairSync('ec', { namedCurve: 'P-256' })).privateKey);
    const status = async (token: string): Promise<number | undefined> =>
      await refusalStatus(host.port, bearer(token));
    const client = await connect(host.port, 'ada', bearer(await sign(0, '0')));
    count = 2;
    const newer = await sign(1, '1');
    assert.equal(await status(newer), 503);
    const ticket = { method: 'POST', ...bearer(newer) };
    const answer = await fetch(`http://localhost:${String(host.port)}/ticket`, ticket);
    assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '30']);
    const reply = await client.request({ type: 'auth', token: newer });
    assert.deepEqual([reply['code'], reply['retryAfterMs']], ['unavailable', 30_000]);
    t.mock.timers.tick(30_000);
    assert.equal((await client.request({ type: 'auth', token: newer })).type, 'authenticated');
    for (const index of [0, 1]) {
      const sent = await sign(index);
      assert.equal((await client.request({ type: 'auth', token: sent })).type, 'authenticated');
    }
    // Signed by none of them; and by one that another fetch does not bring either.
    assert.equal(await status(await sign(2)), 401);
    t.mock.timers.tick(30_000);
    assert.equal(await status(await sign(2, '2')), 401);
    client.socket.terminate();
  });

  it('that cannot be had do not end who was accepted before', async (t) => {
    const sent: Record<string, unknown>[] = [];
    const ends: string[] = [];
    const auth = new Auth(readConfig({ AUTH_SECRET: SECRET }));
    const client = {
      isOpen: true,
      user: 'ada',
      share: { log: () => undefined },
      send: (message: Record<string, unknown>) => sent.push(message),
      close: (why: string) => ends.push(why),
    };
    const credentials = new Credentials(client as unknown as Client, partsOf(auth));
    t.after(() => {
      credentials.end();
    });
    await credentials.start(identity('ada'));
    t.mock.method(auth, 'verify', () => Promise.reject(new KeysUnavailable('no network')));
    await credentials.present({ type: 'auth', id: '7', token: 'x' });
    const message = 'tokens cannot be checked at the moment';
    const error = { type: 'error', id: '7', code: 'unavailable', message, retryAfterMs: 5000 };
    assert.deepEqual([sent, ends], [[error], []]);
    t.mock.restoreAll();
    await credentials.present({ type: 'auth', id: '8', token: await tokenFor('ada') });
    assert.deepEqual([sent[1]?.['type'], sent[1]?.['id']], ['authenticated', '8']);
  });

  it('have to be there in production, and have to be long', () => {
    const short = 'hush hush';
    const wrong = [
      [{ NODE_ENV: 'production' }, /set AUTH_SECRET/],
      [{ AUTH_SECRET: short }, /^AUTH_SECRET is wrong: expected at least 32 bytes/],
      [{ AUTH_SECRET: SECRET, AUTH_JWKS_URL: 'https://a.example/' }, /expected one of them/],
      [{ AUTH_JWKS_URL: 'http://a.example/' }, /^AUTH_JWKS_URL is wrong/],
      [{ AUTH_PUBLIC_KEY: short }, /^AUTH_PUBLIC_KEY is wrong/],
      [{ ADMIN_TOKEN: short }, /^ADMIN_TOKEN is wrong/],
    ] as const;
    for (const [env, message] of wrong) {
      assert.throws(
        () => readConfig(env),
        (error) =>
          error instanceof ConfigError &&
          message.test(error.message) &&
          !error.message.includes(short),
      );
    }
  });
});

describe('npm run token', () => {
  it('adds a secret to .env and leaves the other lines as they are', (t) => {
    const cwd = mkdtempSync(join(tmpdir(), 'token-'));
    t.after(() => {
      rmSync(cwd, { recursive: true });
    });
    const file = join(cwd, '.env');
    const program = fileURLToPath(new URL('../src/token.js', import.meta.url));
    const run = (): string =>
      execFileSync(process.execPath, [program, '--user', 'ada'], {
        cwd,
        env: {},
        encoding: 'utf8',
        stdio: 'pipe',
      });
    run();
    assert.match(readFileSync(file, 'utf8'), /^AUTH_SECRET=[\da-f]{64}\n$/);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    for (const before of ['PORT=9000', 'PORT=9000\n']) {
      writeFileSync(file, before);
      run();
      const present = readFileSync(file, 'utf8');
      assert.match(present, /^PORT=9000\nAUTH_SECRET=[\da-f]{64}\n$/);
      run();
      assert.equal(readFileSync(file, 'utf8'), present);
    }
  });
});

describe('tickets', () => {
  it('end after a while, and are not given without end', () => {
    let now = 0;
    const tickets = new Tickets(1000, () => now);
    const first = tickets.issue(identity('ada')) ?? '';
    while (tickets.issue(identity('ada')) !== undefined);
    const other = tickets.issue(identity('bob')) ?? '';
    now = 999;
    assert.equal(tickets.redeem(first)?.user, 'ada');
    assert.equal(tickets.redeem(first), undefined);
    now = 1000;
    assert.equal(tickets.redeem(other), undefined);
    assert.notEqual(tickets.issue(identity('ada')), undefined);
    for (let n = 0; n < 20_000; n++) tickets.issue(identity(`user-${String(n)}`));
    assert.equal(tickets.issue(identity('late')), undefined);
  });

  it('do not outlive their token', async () => {
    const auth = new Auth(readConfig({ AUTH_SECRET: SECRET }), () => 1000);
    const redeem = async (expiresAt: number): Promise<Awaited<ReturnType<Auth['identify']>>> => {
      const ticket = (await auth.tickets.issue(identity('ada', { expiresAt }))) ?? '';
      const request = new IncomingMessage(new Socket());
      request.url = `/?ticket=${ticket}`;
      return await auth.identify(request);
    };
    assert.deepEqual(await redeem(1001), identity('ada', { expiresAt: 1001 }));
    assert.ok('status' in ((await redeem(1000)) ?? {}));
  });
});

describe('revocations', () => {
  it('cover tokens of before, and those that do not say when they were made', () => {
    const revocations = new Revocations(10, () => 5000);
    revocations.revokeUser('ada');
    const covers = (user: string, issuedAt?: number): boolean =>
      revocations.covers(identity(user, { issuedAt }));
    assert.deepEqual(
      [covers('ada', 5000), covers('ada', 5001), covers('ada'), covers('bob', 1)],
      [true, false, true, false],
    );
  });

  it('cover tokens of before whose maker has a fast clock', () => {
    const auth = new Auth(readConfig({ AUTH_SECRET: SECRET, AUTH_CLOCK_TOLERANCE: '5' }));
    auth.revocations.revokeUser('ada');
    const covers = (aheadMs: number): boolean =>
      auth.revocations.covers(identity('ada', { issuedAt: Date.now() + aheadMs }));
    assert.deepEqual([covers(4000), covers(10_000)], [true, false]);
  });

  it('are not undone by a clock that goes back', () => {
    const times = [5000, 1000];
    const revocations = new Revocations(10, () => times.shift() ?? 0);
    for (let count = 0; count < 2; count += 1) revocations.revokeUser('ada');
    assert.ok(revocations.covers(identity('ada', { issuedAt: 4000 })));
  });

  it('forget none when there are too many, but refuse more', () => {
    let now = 0;
    const revocations = new Revocations(2, () => (now += 1000));
    for (const jti of ['a', 'b', 'c']) revocations.revokeToken(jti);
    assert.ok(revocations.covers(identity('ada', { tokenId: 'a', issuedAt: 500 })));
    assert.ok(revocations.covers(identity('ada', { tokenId: 'c', issuedAt: 500 })));
    assert.ok(!revocations.covers(identity('ada', { tokenId: 'z', issuedAt: 1500 })));
  });
});

describe('credentials', () => {
  it('last for months without a timer that overflows, and to the moment', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 0 });
    const days = (count: number): number => count * 86_400_000;
    const sent: unknown[] = [];
    const client = {
      identity: identity('ada'),
      send: (message: unknown) => sent.push(message),
      close: (why: string) => sent.push(why),
    };
    const auth = new Auth(readConfig({ AUTH_SECRET: SECRET }));
    const credentials = new Credentials(client as unknown as Client, partsOf(auth));
    await credentials.start(identity('ada', { expiresAt: days(60) }));
    for (let hour = 0; hour < 60 * 24; hour++)
      t.mock.timers.tick(hour === 1439 ? 3_569_999 : 3_600_000);
    assert.deepEqual(sent, []);
    t.mock.timers.tick(1);
    assert.deepEqual(sent, [{ type: 'token-expiring', expiresInMs: 30_000 }]);
    t.mock.timers.tick(29_999);
    assert.equal(sent.length, 1);
    t.mock.timers.tick(1);
    assert.equal(sent[1], 'tokenExpired');
    credentials.end();
  });
});
