import type { Check } from '../check.ts';
import { closeByClient, closeByServer, gracefulShutdown } from './closing.ts';
import { compression } from './compression.ts';
import { echo } from './echo.ts';
import { handshake } from './handshake.ts';
import { illegalFrames } from './illegal-frames.ts';
import { messageNearLimit, overLimit, overLimitFragmented } from './limits.ts';
import { liveness } from './liveness.ts';
import { binary, fragmentation, message64k, text } from './messages.ts';
import { ownTests } from './own-tests.ts';
import { pingPong } from './ping-pong.ts';
import { subprotocol, subprotocolNotInvented } from './subprotocol.ts';

/** The checks of `test`, in the order in which they run and are reported. */
export const CHECKS: readonly Check[] = [
  handshake,
  subprotocol,
  subprotocolNotInvented,
  pingPong,
  text,
  binary,
  echo,
  liveness,
  fragmentation,
  message64k,
  messageNearLimit,
  overLimit,
  overLimitFragmented,
  ...illegalFrames,
  closeByClient,
  closeByServer,
  compression,
  // After all that need a server, because it stops it.
  gracefulShutdown,
  ownTests,
];
