import type { WebSocket } from 'ws';
import type { Gate } from './gate.ts';

/** Pings without a sign of life after which a peer counts as dead. */
const MAX_MISSED = 2;
/** The same while bytes wait for it: the network takes large steps, a slow reader minutes for one. */
const MAX_MISSED_READING = 8;
/** Bytes a second of the slowest client that counts as alive while it reads, and seconds at most. */
const SLOWEST_READER = 1024;
const MAX_PATIENCE = 600;

/**
 * Pings `client` about every `intervalMs` until it closes, and ends it when no octet came or went
 * during `MAX_MISSED` pings: TCP alone may take hours to detect a lost peer. A slow reader gets the
 * time for what was sent before the ping, as its pong comes after that.
 *
 * Octets count, not frames: in the middle of a large frame a peer cannot answer a ping.
 */
export function keepAlive(client: WebSocket, gate: Gate, intervalMs: number): void {
  let missed = 0;
  let patience = 0;
  let timer: NodeJS.Timeout;
  let before = { read: 0, delivered: 0, waiting: 0 };
  /** Bytes that the peer has read: a ping says how many came before it, and its pong repeats that. */
  let confirmed = gate.tcp.bytesWritten;

  const hasMoved = (): boolean => {
    const { bytesRead: read, bytesWritten, writableLength: waiting } = gate.tcp;
    const now = { read, delivered: bytesWritten - waiting, waiting };
    const moved =
      now.read > before.read || (before.waiting > 0 && now.delivered > before.delivered);
    before = now;
    return moved;
  };
  const beat = (): void => {
    if (hasMoved() || gate.isResting) missed = 0;
    // Only what is ahead of the first ping counts: a dead peer does not live longer for later bytes.
    if (missed === 0) {
      const seconds = (gate.tcp.bytesWritten - confirmed) / SLOWEST_READER;
      patience = (Math.min(seconds, MAX_PATIENCE) * 1000) / intervalMs;
    }
    if (missed >= Math.max(before.waiting > 0 ? MAX_MISSED_READING : MAX_MISSED, patience)) {
      client.terminate();
      return;
    }
    missed += 1;
    client.ping(String(gate.tcp.bytesWritten));
    schedule();
  };
  const schedule = (): void => {
    // Jitter keeps ten thousand connections from pinging in the same millisecond; few steps, as Node keeps a
    // list for each duration.
    const jitter = 0.9 + Math.floor(Math.random() * 21) / 100;
    timer = setTimeout(beat, intervalMs * jitter).unref();
  };

  client.on('pong', (data) => {
    confirmed = Math.max(confirmed, Number(data.toString()) || 0);
  });
  client.once('close', () => {
    clearTimeout(timer);
  });
  schedule();
}
