import type { Row } from '../row.ts';
import { AUTH } from './auth.ts';
import { CHAT } from './chat.ts';
import { HTTP } from './http.ts';
import { KEYS } from './keys.ts';
import { LIMITS } from './limits.ts';
import { LIVE_UPDATES } from './live-updates.ts';
import { MESSAGES } from './messages.ts';
import { ORIGINS } from './origin.ts';
import { POSITIONS } from './positions.ts';
import { PROCESSES } from './processes.ts';
import { PUBSUB } from './pubsub.ts';

/** Every row of docs/realtime-protocol.md, in the order in which they are reported. */
export const REALTIME_ROWS: readonly Row[] = [
  ...MESSAGES,
  ...AUTH,
  ...KEYS,
  ...POSITIONS,
  ...CHAT,
  ...PUBSUB,
  ...LIVE_UPDATES,
  ...LIMITS,
  ...ORIGINS,
  ...HTTP,
  ...PROCESSES,
];
