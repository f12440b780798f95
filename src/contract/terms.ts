/** The types of server that speak the protocol of docs/realtime-protocol.md. */
export const REALTIME_TYPES = ['chat', 'pubsub', 'live-updates'] as const;
export type RealtimeType = (typeof REALTIME_TYPES)[number];

/** The protocols of others, with the name that each has in a handshake. */
export const SUBPROTOCOLS = {
  'graphql-ws': 'graphql-transport-ws',
  wamp: 'wamp.2.json',
  'json-rpc': 'json-rpc',
  mcp: 'mcp',
} as const;
export type ForeignType = keyof typeof SUBPROTOCOLS;
export const FOREIGN_TYPES = Object.keys(SUBPROTOCOLS) as readonly ForeignType[];

/** What a server can be held to. */
export const CONTRACT_TYPES = [...REALTIME_TYPES, 'graphql-ws', 'wamp', 'json-rpc', 'mcp'] as const;
export type ContractType = (typeof CONTRACT_TYPES)[number];

export function isForeign(type: ContractType): type is ForeignType {
  return Object.hasOwn(SUBPROTOCOLS, type);
}

/** What a generated project of a type, that speaks some subprotocols, is held to. */
export function contractsOf(type: string, spoken: readonly string[]): readonly ContractType[] {
  const own = REALTIME_TYPES.filter((name) => name === type);
  // Other types only have the names.
  const speaks = own.length > 0 || type === 'rpc' || type === 'mcp';
  return [...own, ...FOREIGN_TYPES.filter((name) => speaks && spoken.includes(SUBPROTOCOLS[name]))];
}

/** The features of the protocol, as `welcome` lists them. */
export const CONTRACT_FEATURES = [
  'rooms',
  'presence',
  'history',
  'resume',
  'auth',
  'rate-limit',
  'metrics',
] as const;
export type ContractFeature = (typeof CONTRACT_FEATURES)[number];

/** Features that a type has always, listed or not; rows enter its topics or documents as they do rooms. */
export const PARTS: Readonly<Partial<Record<ContractType, readonly ContractFeature[]>>> = {
  chat: [],
  pubsub: ['rooms'],
  'live-updates': ['rooms', 'resume'],
};

/**
 * What a row cannot do without, besides features of the server: tokens that it signs itself, a token
 * for `/publish` and `/documents`, one for `/revoke`, more than one user, the process of the server, a user of
 * WAMP with a ticket, one with a secret for WAMP-CRA.
 */
export type Means =
  'signing' | 'publish-token' | 'admin-token' | 'users' | 'audience' | 'project' | 'ticket' | 'cra';
export type Need = ContractFeature | Means;

/** Headings of docs/realtime-protocol.md. */
export const REALTIME_SECTIONS = [
  'Common to all types',
  'Authentication (feature `auth`)',
  'Close codes',
  'Error codes',
  'Limits',
  'Positions, resume and idempotent publishing (features `history`, `resume`)',
  'chat',
  'pubsub',
  'live-updates',
  'HTTP of all types',
] as const;

/** Headings of the specifications of others, behind the name of each. */
const FOREIGN_SECTIONS = [
  'graphql-ws: Communication',
  'graphql-ws: ConnectionInit',
  'graphql-ws: Ping and Pong',
  'graphql-ws: Subscribe',
  'graphql-ws: Next',
  'graphql-ws: Error',
  'graphql-ws: Complete',
  'graphql-ws: Invalid message',
  'graphql-ws: hostile clients',
  'WAMP: Transports',
  'WAMP: Session Establishment',
  'WAMP: Session Closing',
  'WAMP: Protocol errors',
  'WAMP: Identifiers',
  'WAMP: Subscribing and Unsubscribing',
  'WAMP: Publishing and Events',
  'WAMP: Registering and Unregistering',
  'WAMP: Calling and Invocations',
  'WAMP: Ordering Guarantees',
  'WAMP: Advanced Profile',
  'WAMP: Authentication',
  'WAMP: hostile clients',
  'JSON-RPC 2.0: Request object',
  'JSON-RPC 2.0: Notification',
  'JSON-RPC 2.0: Response object',
  'JSON-RPC 2.0: Error object',
  'JSON-RPC 2.0: Batch',
  'JSON-RPC 2.0: hostile clients',
  'MCP: Handshake',
  'MCP: Messages',
  'MCP: Lifecycle',
  'MCP: Utilities',
  'MCP: Tools',
  'MCP: Resources',
  'MCP: Prompts and completion',
  'MCP: Requests of the server',
  'MCP: Revision 2026-07-28',
  'MCP: Several clients',
  'MCP: Lost connections',
  'MCP: Closing',
  'MCP: Probes of bridges',
  'MCP: hostile clients',
] as const;

/** The report is grouped by them. */
export const SECTIONS = [...REALTIME_SECTIONS, ...FOREIGN_SECTIONS] as const;
export type Section = (typeof SECTIONS)[number];

/** Thrown by a row whose sentence does not hold; the message says what was expected and seen. */
export class RowFailure extends Error {}

/** Thrown by a row that finds out that it does not apply. */
export class RowSkip extends Error {}
