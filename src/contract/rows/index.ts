import type { Row } from '../row.ts';
import { GRAPHQL_WS } from './graphql-ws.ts';
import { JSON_RPC } from './json-rpc.ts';
import { MCP_ROWS } from './mcp/index.ts';
import { REALTIME_ROWS } from './realtime.ts';
import { WAMP_AUTHENTICATION } from './wamp-authentication.ts';
import { WAMP } from './wamp.ts';

/** Every row of every type, in the order in which they are reported. */
export const ROWS: readonly Row[] = [
  ...REALTIME_ROWS,
  ...GRAPHQL_WS,
  ...WAMP,
  ...WAMP_AUTHENTICATION,
  ...JSON_RPC,
  ...MCP_ROWS,
];
