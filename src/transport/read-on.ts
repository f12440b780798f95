import type { Socket } from 'node:net';

/**
 * Keeps `socket` readable after a write has failed, up to the end of what has arrived.
 *
 * A peer that closes TCP with octets unread resets it: the next write fails, and Node then drops the
 * socket with the close frame that came before the reset. Here such an error calls `onBroken`, and
 * the socket is destroyed, with that error, once the peer's octets have been read.
 */
export function readOn(socket: Socket, onBroken: (error: Error) => void = () => undefined): void {
  const destroy = socket.destroy.bind(socket);
  let broken = false;
  socket.destroy = (error?: Error): Socket => {
    const isWrite = (error as NodeJS.ErrnoException | undefined)?.syscall === 'write';
    if (!isWrite || broken || socket.readableEnded) return destroy(error);
    broken = true;
    socket.once('end', () => destroy(error));
    forgetError(socket);
    onBroken(error as Error);
    socket.read(0);
    return socket;
  };
}

/** Node marks the readable side with the error of a write, and then takes no more input. */
function forgetError(socket: Socket): void {
  const state = (socket as unknown as { _readableState?: { errored: unknown } })._readableState;
  if (state !== undefined) state.errored = null;
}
