import type { WebSocket } from 'ws';
import type { Gate } from './gate.ts';

/** Pings without a sign of life after which a peer counts as dead. */
const MAX_MISSED = 2;
/** The same while bytes wait for it: the network takes large steps, a slow reader minutes for one. */
const MAX_MISSED_READING = 8;

/**
 * Pings `client` about every `intervalMs` until it closes, and ends it when no octet came or went
 * during `MAX_MISSED` pings: TCP alone may take hours to detect a lost peer.
 *
 * Octets count, not frames: in the middle of a large frame a peer cannot answer a ping.
 */
export function keepAlive(client: WebSocket, gate: Gate, intervalMs: number): void {
  let missed = 0;
  let timer: NodeJS.Timeout;
  let before = { read: 0, delivered: 0, waiting: 0 };

  const hasMoved = (): boolean => {
    const { bytesRead: read, bytesWritten, writableLength: waiting } = gate.tcp;
    const now = { read, delivered: bytesWritten - waiting, waiting };
    const moved =
      now.read > before.read || (before.waiting > 0 && now.delivered > before.delivered);
    before = now;
    return moved;
  };
  const beat = (): void => {
    if (hasMoved() || gate.isAsleep) missed = 0;
    if (missed >= (before.waiting > 0 ? MAX_MISSED_READING : MAX_MISSED)) {
      client.terminate();
      return;
    }
    missed += 1;
    client.ping();
    schedule();
  };
  const schedule = (): void => {
    // Jitter keeps ten thousand connections from pinging in the same millisecond.
    timer = setTimeout(beat, intervalMs * (0.9 + Math.random() * 0.2)).unref();
  };

  client.once('close', () => {
    clearTimeout(timer);
  });
  schedule();
}
