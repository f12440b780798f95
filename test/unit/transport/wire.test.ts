import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openSocket } from '../../../src/transport/index.ts';
import type { Wire } from '../../../src/transport/index.ts';

/** A connection on the loopback: our wire and the peer's bare socket. */
async function connected(): Promise<{ wire: Wire; peer: Socket }> {
  const server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const wire = await openSocket(
    new URL(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`),
  );
  const peer = await accepted;
  peer.on('error', () => undefined);
  onTestFinished(() => {
    wire.destroy();
    peer.destroy();
    server.close();
  });
  return { wire, peer };
}

describe('Wire', () => {
  it('reads what the peer sends, then the end for ever', async () => {
    const { wire, peer } = await connected();
    peer.end('hello');
    expect(await wire.read(1000)).toEqual(Buffer.from('hello'));
    expect(await wire.read(1000)).toBe('eof');
    expect(await wire.read(1000)).toBe('eof');
    expect(wire.bytesReceived).toBe(5);
    expect(wire.error).toBeUndefined();
  });

  it('says when nothing came in time', async () => {
    const { wire } = await connected();
    expect(await wire.read(20)).toBe('timeout');
  });

  it('gives back bytes that were unread, before anything newer', async () => {
    const { wire, peer } = await connected();
    peer.write('one');
    const bytes = (await wire.read(1000)) as Buffer;
    wire.unread(bytes.subarray(1));
    expect(await wire.read(1000)).toEqual(Buffer.from('ne'));
    expect(wire.bytesReceived).toBe(3);
  });

  it('hands the socket over with what was unread, and loses nothing that comes later', async () => {
    const { wire, peer } = await connected();
    peer.write('head and ');
    const bytes = (await wire.read(1000)) as Buffer;
    wire.unread(bytes.subarray(4));
    peer.write('body');
    const pieces = [wire.release()];
    wire.socket.on('data', (piece: Buffer) => pieces.push(piece));
    wire.socket.resume();
    await expect.poll(() => Buffer.concat(pieces).toString()).toBe(' and body');
  });

  it('holds no more than a few buffers of what nobody reads', async () => {
    const { wire, peer } = await connected();
    const flood = Buffer.alloc(64 * 1024 * 1024);
    peer.write(flood);
    await expect.poll(() => wire.socket.readableLength).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(wire.socket.readableLength).toBeLessThan(1024 * 1024);
    expect(peer.writableLength).toBeGreaterThan(flood.length / 2);
  });

  it('waits with a write until the peer has read, and gives up after a stall', async () => {
    const { wire, peer } = await connected();
    peer.pause();
    const flood = Buffer.alloc(64 * 1024 * 1024);
    expect(await wire.write([flood], 100)).toBe(false);
    peer.resume();
    expect(await wire.write([Buffer.from('more')])).toBe(true);
  });

  it('keeps the reason of a reset and does not throw', async () => {
    const { wire, peer } = await connected();
    peer.resetAndDestroy();
    expect(await wire.read(1000)).toBe('eof');
    expect(wire.error?.code).toBe('ECONNRESET');
    expect(await wire.write([Buffer.from('late')])).toBe(false);
  });

  it('tells whether the peer has closed in time', async () => {
    const { wire, peer } = await connected();
    peer.write('unread');
    expect(await wire.closed(50)).toBe(false);
    const second = await connected();
    second.peer.end('unread');
    expect(await second.wire.closed(1000)).toBe(true);
  });

  it('is dropped by the signal it was opened with', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const controller = new AbortController();
    const url = new URL(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const wire = await openSocket(url, { signal: controller.signal });
    controller.abort();
    expect(await wire.read(1000)).toBe('eof');
    await expect(openSocket(url, { signal: controller.signal })).rejects.toThrow(/abort/i);
  });
});
