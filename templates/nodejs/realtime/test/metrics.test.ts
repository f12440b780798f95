import assert from 'node:assert/strict';
import { get } from 'node:http';
import { describe, it } from 'node:test';
import { connect, refusalStatus, startServer } from './support.ts';

const TOKEN = 'the-token-of-prometheus';

/** The status and body of `GET /metrics`. */
async function scrape(port: number, headers: Record<string, string> = {}) {
  return await new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
    get({ port, path: '/metrics', headers }, (response) => {
      let text = '';
      response.on('data', (part: Buffer) => (text += part.toString()));
      response.on('end', () => {
        resolve({ status: response.statusCode, text });
      });
    }).on('error', reject);
  });
}

describe('metrics', () => {
  it('count what happens, and name nobody', async (t) => {
    const host = await startServer();
    t.after(() => host.stop());
    const client = await connect(host.port, 'ada-lovelace');
    await client.request({ type: 'ping' });
    // #if rooms && resume
    const { position } = await client.request({ type: 'join', room: 'lobby' });
    for (const epoch of [{}, { epoch: 'another' }]) {
      const since = { ...(position as object), ...epoch };
      await client.request({ type: 'join', room: 'lobby', since });
    }
    // #endif
    assert.equal(await refusalStatus(host.port, { path: '/elsewhere' }), 404);
    const { status, text } = await scrape(host.port);
    assert.equal(status, 200);
    for (const line of [
      'ws_connections 1',
      'ws_handshakes_total{result="accepted"} 1',
      'ws_handshakes_total{result="404"} 1',
      'ws_messages_received_total{type="ping"} 1',
      'ws_messages_sent_total{type="pong"} 1',
      '# TYPE ws_command_seconds histogram',
      'ws_command_seconds_bucket{le="+Inf",type="ping"} 1',
      'ws_command_seconds_count{type="ping"} 1',
      // #if rooms && resume
      'ws_rooms 1',
      'ws_recoveries_total{ok="true"} 1',
      'ws_recoveries_total{ok="false"} 1',
      // #endif
    ]) {
      assert.ok(text.includes(`${line}\n`), `${line} is not in\n${text}`);
    }
    const fastest =
      /ws_command_seconds_bucket\{le="0.0001",type="ping"\} (\d)\n.*"0.001".* (\d)\n/.exec(text);
    assert.ok(Number(fastest?.[1]) <= Number(fastest?.[2]));
    assert.doesNotMatch(text, /ada-lovelace/);
    client.socket.close(4321);
    await client.closed;
    while (host.server.connections > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.match((await scrape(host.port)).text, /^ws_closes_total\{code="other"\} 1$/m);
  });

  // #if rooms
  it('count a client that never reads', async (t) => {
    const host = await startServer({
      MAX_BUFFERED: '65536',
      RATE_LIMIT: '1000000',
      RATE_BURST: '1000000',
    });
    t.after(() => host.stop());
    const author = await connect(host.port, 'ada');
    const deaf = await connect(host.port, 'bob', { perMessageDeflate: false });
    for (const client of [author, deaf]) await client.request({ type: 'join', room: 'lobby' });
    deaf.socket.pause();
    const text = '€'.repeat(4000);
    const count = async (): Promise<string | undefined> =>
      /^ws_slow_consumers (\d+)$/m.exec((await scrape(host.port)).text)?.[1];
    // The system buffers some mebibytes before anything waits in the server.
    for (let sent = 0; (await count()) === '0' && sent < 50; sent += 1) {
      const messages = Array.from({ length: 50 }, () => ({ type: 'message', room: 'lobby', text }));
      for (const message of messages) await author.request(message);
    }
    assert.equal(await count(), '1');
    deaf.socket.terminate();
  });

  // #endif
  it('are not for pages, nor for who lacks the token', async (t) => {
    const host = await startServer();
    t.after(() => host.stop());
    for (const [headers, status] of [
      [{ Host: '10.0.0.5:8080' }, 200],
      [{ Host: 'evil.example' }, 421],
      [{ Origin: 'https://evil.example' }, 403],
      [{ 'Sec-Fetch-Site': 'cross-site' }, 403],
    ] as const) {
      assert.equal((await scrape(host.port, headers)).status, status, JSON.stringify(headers));
    }
    const closed = await startServer({ METRICS_TOKEN: TOKEN });
    t.after(() => closed.stop());
    assert.equal((await scrape(closed.port)).status, 401);
    const headers = { Host: 'ws-app', Authorization: `Bearer ${TOKEN}` };
    assert.equal((await scrape(closed.port, headers)).status, 200);
  });
});
