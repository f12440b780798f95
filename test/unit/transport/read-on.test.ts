import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { Wire } from '../../../src/transport/wire.ts';

/** A peer that leaves what it gets unread, says why and closes: its system resets TCP. */
async function resetAfter(last: Buffer): Promise<{ wire: Wire; isReset: () => boolean }> {
  let reset = false;
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined);
    socket.pause();
    socket.write(last, () => {
      socket.destroy();
      reset = true;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connect({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    allowHalfOpen: true,
  });
  const wire = new Wire(socket);
  onTestFinished(() => {
    wire.destroy();
    server.close();
  });
  await new Promise((resolve) => socket.once('connect', resolve));
  return { wire, isReset: () => reset };
}

async function readAll(wire: Wire): Promise<string> {
  const pieces: Buffer[] = [];
  for (;;) {
    const bytes = await wire.read(5000);
    if (typeof bytes === 'string') return Buffer.concat(pieces).toString();
    pieces.push(bytes);
  }
}

it.each([1, 2, 3, 4, 5])('reads what came before a write that failed (try %i)', async () => {
  const { wire, isReset } = await resetAfter(Buffer.from('too big'));
  // Nothing is read meanwhile, so that the writes find out about the reset first.
  while ((await wire.write([Buffer.alloc(64 * 1024)], 5000)) || !isReset()) {
    if (wire.error !== undefined) break;
    await nextTurn();
  }
  expect(wire.error).toMatchObject({ syscall: 'write' });
  expect(await wire.write([Buffer.from('more')])).toBe(false);
  expect(await readAll(wire)).toBe('too big');
  expect(wire.ended).toBe(true);
});

it('closes the socket when the rest has been read', async () => {
  const { wire } = await resetAfter(Buffer.alloc(200 * 1024, '.'));
  while (await wire.write([Buffer.alloc(64 * 1024)], 5000)) await nextTurn();
  await readAll(wire);
  await wire[Symbol.asyncDispose]();
  expect(wire.socket.destroyed).toBe(true);
});
