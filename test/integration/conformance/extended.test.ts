import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { expect, it } from 'vitest';
import { CaseLog } from '../../../src/conformance/wire/frame-log.ts';
import { Guard } from '../../../src/conformance/extended/session.ts';
import { Conn } from '../../../src/conformance/wire/connection.ts';
import { autobahnTest } from '../../../src/operations/autobahn-test/autobahn-test.ts';
import { AutobahnTestInput } from '../../../src/operations/autobahn-test/schema.ts';
import { Opcode, acceptKey, encodeFrame } from '../../../src/protocol/index.ts';
import { openSocket, readHead } from '../../../src/transport/index.ts';
import { startEchoServer } from '../../support/peers/echo-server.ts';
import { testServerBeyond } from '../../support/extended-cases.ts';
import { operationContext } from '../../support/operation-context.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** A server of which `behave` says all that comes behind its response. */
async function startServer(
  behave: (socket: Socket) => void,
): Promise<AsyncDisposable & { readonly url: string }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', (bytes: Buffer) => {
      const key = /sec-websocket-key: *(\S+)/i.exec(bytes.toString('latin1'))?.[1] ?? '';
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
          `Sec-WebSocket-Accept: ${acceptKey(key)}\r\n\r\n`,
      );
      behave(socket);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function writeForEver(socket: Socket, bytes: Buffer): void {
  const more = (): void => {
    if (socket.destroyed) return;
    if (socket.write(bytes)) setImmediate(more);
    else socket.once('drain', more);
  };
  more();
}

it('runs the extended cases beside the others when they are asked for', async () => {
  await using server = await startEchoServer();
  const input = AutobahnTestInput.parse({
    url: server.url,
    extended: true,
    cases: ['1.1.1', 'x.1.3.*', 'x.7.3.*'],
    output: temporaryFolder(),
  });
  const report = await autobahnTest(input, operationContext());
  expect(report).toMatchObject({ success: true, selected: 16, verdicts: { pass: 16 } });
});

it('cuts off a peer that sends pongs for ever', async () => {
  const pongs = Buffer.from('8a00'.repeat(1000), 'hex');
  await using server = await startServer((socket) => writeForEver(socket, pongs));
  const [result] = await testServerBeyond(server.url, ['x.1.3.1']);
  expect(result).toMatchObject({ behavior: 'FAILED' });
  expect(result?.result).toContain('more than 20000');
});

it('keeps the head alone of a message that is too large to keep', async () => {
  const message = encodeFrame({ opcode: Opcode.binary, payload: Buffer.alloc(1024 * 1024) });
  await using server = await startServer((socket) => void socket.write(message));
  await using wire = await openSocket(new URL(server.url));
  const options = { role: 'client', inflate: undefined, ownReply: false } as const;
  const conn = new Conn({ wire, log: new CaseLog(), ...options });
  await wire.write([Buffer.from('GET / HTTP/1.1\r\nSec-WebSocket-Key: k\r\n\r\n')]);
  await readHead(wire, 'response', 5000);
  await conn.listen(5000, () => conn.received.length > 0);
  const [received] = conn.received;
  expect([received?.length, received?.payload.length]).toEqual([1024 * 1024, 64 * 1024]);
});

it('ends a case that nothing else ends', async () => {
  await using server = await startServer(() => undefined);
  await using wire = await openSocket(new URL(server.url));
  using guard = new Guard(wire, -14_900);
  expect(await wire.read(5000)).toBe('eof');
  expect(guard.reason).toContain('did not come to an end');
});
