import type { Check } from '../check.ts';
import { closeByClient, closeByServer } from './closing.ts';
import { compression } from './compression.ts';
import { echo } from './echo.ts';
import { fragmentation } from './fragmentation.ts';
import { gracefulShutdown } from './graceful-shutdown.ts';
import { handshake } from './handshake.ts';
import { illegalFrames } from './illegal-frames.ts';
import { messageNearLimit, overLimit, overLimitFragmented } from './limits.ts';
import { liveness } from './liveness.ts';
import { binary, message64k, text } from './messages.ts';
import { pingPong } from './ping-pong.ts';
import { subprotocol, subprotocolNotInvented } from './subprotocol.ts';

/** Everything `test` looks at, in the order in which it does and reports it. */
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
  // Last, because no server is left after it.
  gracefulShutdown,
];
