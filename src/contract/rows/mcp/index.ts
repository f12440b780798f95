import type { Row } from '../../row.ts';
import { HANDSHAKE } from './handshake.ts';
import { MESSAGES } from './messages.ts';
import { LIFECYCLE } from './lifecycle.ts';
import { UTILITIES } from './utilities.ts';
import { FEATURES } from './features.ts';
import { ASKING } from './asking.ts';
import { MODERN_ERA } from './modern.ts';
import { CLIENTS } from './clients.ts';
import { SESSIONS } from './sessions.ts';
import { HOSTILE } from './hostile.ts';
import { PROBES } from './probes.ts';

/*
 * The Model Context Protocol over WebSocket, of both eras: revisions up to 2025-11-25 begin with
 * `initialize`, that of 2026-07-28 has no handshake. WebSocket is no transport of the specification, which
 * allows others that keep its messages; what is asked of the handshake, of frames and of sessions is what
 * the official clients need, and the draft SEP-1288. What a server has is found from its capabilities
 * and lists; rows that need more of it are skipped by name.
 */

export const MCP_ROWS: readonly Row[] = [
  ...HANDSHAKE,
  ...MESSAGES,
  ...LIFECYCLE,
  ...UTILITIES,
  ...FEATURES,
  ...ASKING,
  ...MODERN_ERA,
  ...CLIENTS,
  ...SESSIONS,
  ...HOSTILE,
  ...PROBES,
];
