import { once } from 'node:events';
import type { Socket } from 'node:net';
import { expect } from 'vitest';
import { encodeFrame, Opcode } from '../../src/protocol/index.ts';
import { MASKING_KEY } from '../support/protocol.ts';
import { handshakeBytes, openClient, openRaw, within } from '../support/test-client.ts';
import type { Check } from './check.ts';

/** What an echo server does besides what every server does. */
export const ECHO_CHECKS = {
  'echoes text as text and binary as binary, whole, fragmented or compressed': async ({ boot }) => {
    await using server = await boot({ COMPRESSION: 'permessage-deflate' });
    for (const perMessageDeflate of [false, true]) {
      const { socket } = await openClient(server.port, { perMessageDeflate });
      for (const data of [
        '',
        'Grüße',
        'x'.repeat(100_000),
        Buffer.from([0, 255]),
        Buffer.alloc(0),
      ]) {
        socket.send(data);
        const [echo, isBinary] = (await once(socket, 'message')) as [Buffer, boolean];
        expect(echo.equals(Buffer.from(data))).toBe(true);
        expect(isBinary).toBe(Buffer.isBuffer(data));
      }
      socket.send('one ', { fin: false });
      socket.ping();
      socket.send('message', { fin: true });
      const [echo] = (await once(socket, 'message')) as [Buffer];
      expect(echo.toString()).toBe('one message');
      socket.terminate();
    }
  },

  'stops reading from a client that does not read': async ({ boot }) => {
    await using server = await boot({ MAX_BUFFERED: '65536', COMPRESSION: 'none' });
    const raw = await openRaw(server.port);
    raw.write(handshakeBytes(server.port));
    await once(raw, 'data');
    raw.pause();
    const payload = Buffer.alloc(65_536, 'x');
    const frame = encodeFrame({ opcode: Opcode.binary, payload, maskingKey: MASKING_KEY });
    const total = 64 * 1024 * 1024;
    // Writes as long as the server takes it; a server without a bound takes everything.
    let sent = 0;
    let isTaken = true;
    while (isTaken && sent < total) {
      sent += frame.length;
      isTaken = raw.write(frame) || (await drained(raw, 1000));
    }
    expect(raw.bytesWritten - raw.writableLength).toBeLessThan(total / 2);
    // It was only waiting: every frame comes back, without the four bytes of its masking key.
    const expected = sent - (sent / frame.length) * 4;
    await within(received(raw, expected), 10_000, 'the rest');
    raw.destroy();
  },
} as const satisfies Readonly<Record<string, Check>>;

/** Whether `socket` gets rid of what it holds within `milliseconds`. */
async function drained(socket: Socket, milliseconds: number): Promise<boolean> {
  return await within(once(socket, 'drain'), milliseconds, 'drain').then(
    () => true,
    () => false,
  );
}

/** Reads until at least `bytes` have come. */
async function received(socket: Socket, bytes: number): Promise<void> {
  let count = 0;
  for await (const chunk of socket) {
    count += (chunk as Buffer).length;
    if (count >= bytes) return;
  }
  throw new Error(`the connection ended after ${count} of ${bytes} bytes`);
}
