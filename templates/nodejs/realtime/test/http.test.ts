import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { HttpRequest } from '../src/http.ts';
import { startServer } from './support.ts';
import type { TestServer } from './support.ts';

describe('http', () => {
  let host: TestServer;
  before(async () => {
    const answer = ({ body }: HttpRequest, groups: readonly string[]) => {
      if (body.toString() === 'fail') throw new Error('a mistake');
      return { status: 200, body: { length: body.length, groups } };
    };
    const routes = [{ method: 'PUT', path: /^\/things\/(\w+)$/, maxBody: 100_000, answer }];
    host = await startServer({ HANDSHAKE_TIMEOUT: '500' }, { routes });
  });
  after(() => host.stop());

  const send = async (method: string, body?: string): Promise<Response> =>
    await fetch(`http://localhost:${String(host.port)}/things/one`, {
      method,
      ...(body !== undefined && { body }),
    });

  it('passes whole bodies to routes', async () => {
    for (const length of [0, 10, 100_000]) {
      const response = await send('PUT', 'x'.repeat(length));
      assert.deepEqual(
        [response.status, await response.json()],
        [200, { length, groups: ['one'] }],
      );
    }
  });

  it('refuses other methods, too large bodies and what fails', async () => {
    const wrong = await send('POST', 'x');
    assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'PUT']);
    assert.equal((await send('PUT', 'x'.repeat(100_001))).status, 413);
    assert.equal((await send('PUT', 'fail')).status, 500);
    assert.equal((await send('PUT', 'go on')).status, 200);
  });

  it('takes no body that does not end, nor one without a length that is too large', async () => {
    const chunks = ['10000', '10000'].map((size) => `${size}\r\n${'x'.repeat(65_536)}\r\n`);
    for (const [head, body, answer] of [
      ['Transfer-Encoding: chunked', chunks.join(''), /^HTTP\/1\.1 413 /],
      ['Content-Length: 10', 'x', /^$/],
    ] as const) {
      const socket = connectTcp(host.port, 'localhost');
      let received = '';
      socket.on('data', (data) => (received += data.toString()));
      socket.on('error', () => undefined);
      socket.write(`PUT /things/one HTTP/1.1\r\nHost: localhost\r\n${head}\r\n\r\n${body}`);
      await once(socket, 'close');
      assert.match(received, answer);
    }
  });
});
