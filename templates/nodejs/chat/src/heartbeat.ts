import type { WebSocket } from 'ws';

/** Unanswered pings after which a peer counts as dead. */
const MAX_MISSED = 2;

/**
 * Pings `socket` about every `intervalMs` until it closes, and ends it when nothing was received
 * during `MAX_MISSED` pings: TCP alone may take hours to detect a lost peer.
 */
export function keepAlive(socket: WebSocket, intervalMs: number): void {
  let missed = 0;
  let timer: NodeJS.Timeout;

  const seen = (): void => {
    missed = 0;
  };
  const beat = (): void => {
    if (missed === MAX_MISSED) {
      socket.terminate();
      return;
    }
    missed += 1;
    socket.ping();
    schedule();
  };
  const schedule = (): void => {
    // Jitter keeps ten thousand connections from pinging in the same millisecond.
    timer = setTimeout(beat, intervalMs * (0.9 + Math.random() * 0.2)).unref();
  };

  socket.on('message', seen).on('ping', seen).on('pong', seen);
  socket.once('close', () => {
    clearTimeout(timer);
  });
  schedule();
}
