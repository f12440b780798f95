import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import { ClientConnection } from '../../../../src/load/socket/client-connection.ts';
import type { Connection, ConnectionEvents } from '../../../../src/load/socket/connection.ts';
import { Dialer } from '../../../../src/load/socket/dialer.ts';
import { FastConnection } from '../../../../src/load/socket/fast-connection.ts';
import { loadPlan } from '../../../support/load-results.ts';

/** Opens the handshake, leaves what follows unread, says 1009 and closes: its system resets TCP. */
const REFUSER = `
  const { createServer } = require('node:net');
  const { createHash } = require('node:crypto');
  const { parentPort, workerData } = require('node:worker_threads');
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (head) => {
      const key = /^Sec-WebSocket-Key: (.*)\\r$/m.exec(head.toString('latin1'))[1];
      const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
      const accept = createHash('sha1').update(key + guid).digest('base64');
      const lines = ['HTTP/1.1 101 Yes', 'Upgrade: websocket', 'Connection: Upgrade'];
      socket.write([...lines, 'Sec-WebSocket-Accept: ' + accept, '', ''].join('\\r\\n'));
      socket.once('readable', () => {
        socket.write(Buffer.from([0x88, 2, 0x03, 0xf1]), () => socket.resetAndDestroy());
        socket.once('close', () => {
          Atomics.store(workerData, 0, 1);
          Atomics.notify(workerData, 0);
        });
      });
      socket.pause();
    });
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

it.each(['fast', 'client'] as const)(
  'the %s engine reads the close frame before a reset',
  async (kind) => {
    const isReset = new Int32Array(new SharedArrayBuffer(4));
    const refuser = new Worker(REFUSER, { eval: true, workerData: isReset });
    onTestFinished(async () => {
      await refuser.terminate();
    });
    const [port] = (await once(refuser, 'message')) as [number];
    const target = { ...loadPlan().target, url: `ws://127.0.0.1:${port}/` };
    const shared = { addresses: ['127.0.0.1'], index: 0, workers: 1, timeoutMs: 20_000 };
    const dialer = new Dialer({ target, kind, ...shared });
    const why = await new Promise<string>((resolve) => {
      const nothing = (): void => undefined;
      const host = {
        ...{ message: nothing, received: nothing, consumed: nothing, pinged: nothing },
        ...{ ended: nothing, begin: nothing, part: nothing, end: nothing },
        opened: (connection: Connection) => {
          connection.send(2, [Buffer.alloc(1000)]);
          // This thread reads nothing until the reset is there, and then writes first.
          Atomics.wait(isReset, 0, 0);
          connection.send(2, [Buffer.alloc(1000)]);
        },
        failed: (_: Connection, { text }: { text: string }) => resolve(`failed: ${text}`),
        dropped: (_: Connection, { text }: { text: string }) => resolve(text),
      } satisfies ConnectionEvents;
      const at = { index: 0, intendedMs: 0, startedMs: 0 };
      dialer.dial(kind === 'fast' ? new FastConnection(host, at) : new ClientConnection(host, at));
    });
    expect(why).toBe('closed with 1009 (message too big)');
  },
);
