// #if auth
import { createPublicKey } from 'node:crypto';
// #endif
import { z } from 'zod';
// #if auth
import { algorithmOf } from './keys.ts';
// #endif
// #if chat || pubsub || live
import { MAX_COMMAND_BYTES } from './messages.ts';
// #endif

// #if auth
/** Bytes of the shortest secret: as many as HS256 makes (RFC 7518 section 3.2). */
const MIN_SECRET_BYTES = 32;
// #endif

/** Characters of a wrong value that its error shows. */
const MAX_SHOWN = 32;

/** The generated defaults; environment variables override them. */
const DEFAULTS = {
  port: 8080,
  maxPayload: 1048576,
  pingInterval: 30000,
  compression: 'permessage-deflate',
  serverNoContextTakeover: true,
  subprotocols: ['chat.v1'],
  // #if redis
  redisPrefix: 'ws-app',
  // #endif
} as const;

// #if history || live
/** What has a history. */
// #if chat
const PLACE = 'room';
// #else
// #if pubsub
//~ const PLACE = 'stream';
// #else
//~ const PLACE = 'document';
// #endif
// #endif

// #endif
/** Every setting: environment variable, range, default and purpose. */
const Environment = z.object({
  PORT: integer(0, 65_535, DEFAULTS.port).describe('port; 0 lets the system pick a free one'),
  HOST: z.string().optional().describe('address to listen on; unset: every interface'),
  // #if chat || pubsub || live
  MAX_PAYLOAD: integer(1, 0x7fffffff, DEFAULTS.maxPayload).describe(
    'largest message in bytes, 65536 at most, also inflated; a larger one is closed with 1009',
  ),
  // #else
  //~ MAX_PAYLOAD: integer(1, 0x7fffffff, DEFAULTS.maxPayload).describe(
  //~   'largest message in bytes, also inflated; a larger one is closed with 1009',
  //~ ),
  // #endif
  PING_INTERVAL: integer(10, 3_600_000, DEFAULTS.pingInterval).describe(
    'milliseconds between pings; a client silent during two of them is cut off',
  ),
  COMPRESSION: z
    .enum(['permessage-deflate', 'none'])
    .default(DEFAULTS.compression)
    .describe('RFC 7692; costs up to some 120 KiB of memory per connection'),
  SERVER_NO_CONTEXT_TAKEOVER: z
    .stringbool()
    .default(DEFAULTS.serverNoContextTakeover)
    .describe('compress each message on its own'),
  SUBPROTOCOLS: list(DEFAULTS.subprotocols, isToken, 'names of subprotocols').describe(
    'supported subprotocols, preferred first',
  ),
  ALLOWED_ORIGINS: list([], isOrigin, 'origins as in https://chat.example.com, and no *').describe(
    'allowed Origin headers; unset: this host, and localhost unless NODE_ENV is production',
  ),
  ALLOWED_HOSTS: list([], isHostName, 'host names without a port').describe(
    'names of this server besides localhost, 127.0.0.1 and [::1]; pages have to come from one',
  ),
  NODE_ENV: z.string().default('development').describe('production: nothing is allowed for tests'),
  DEMO: z
    .stringbool()
    .default(false)
    .describe('1: serves the page in public/, and lets it stop this process outside production'),
  // #if auth
  AUTH_SECRET: z
    .string()
    .refine((text) => Buffer.byteLength(text) >= MIN_SECRET_BYTES, {
      error: `expected at least ${String(MIN_SECRET_BYTES)} bytes, as from \`openssl rand -hex 32\``,
    })
    .optional()
    .describe('secret of tokens that are signed with HS256, at least 32 bytes'),
  AUTH_PUBLIC_KEY: z
    .string()
    .transform((text) => text.replaceAll('\\n', '\n'))
    .refine(isPublicKey, 'expected a public key in PEM: RSA of 2048 bits or more, P-256 or Ed25519')
    .optional()
    .describe('instead: public key (PEM) of tokens that are signed with RS256, ES256 or EdDSA'),
  AUTH_JWKS_URL: z
    .string()
    .refine(isKeysUrl, 'expected an https URL, or one of localhost')
    .optional()
    .describe('instead: where the public keys of the tokens are (RFC 7517)'),
  AUTH_ISSUER: z.string().optional().describe('`iss` that tokens need to have'),
  AUTH_AUDIENCE: z.string().optional().describe('`aud` that tokens need to have'),
  AUTH_CLOCK_TOLERANCE: integer(0, 300, 5).describe(
    'seconds that the clocks of who makes tokens may differ',
  ),
  AUTH_TIMEOUT: integer(50, 600_000, 10_000).describe(
    'milliseconds for the first message to say who the client is',
  ),
  TICKET_TTL: integer(50, 600_000, 30_000).describe('milliseconds that a ticket is good for'),
  ADMIN_TOKEN: secret(16).describe('who sends it may POST /revoke; unset: nobody'),
  // #endif
  TRUST_PROXY: integer(0, 10, 0).describe(
    'reverse proxies in front whose X-Forwarded-For is trusted',
  ),
  MAX_CONNECTIONS: integer(1, 1_000_000, 10_000).describe('open connections in total'),
  MAX_CONNECTIONS_PER_IP: integer(1, 1_000_000, 256).describe(
    'open connections per address; an IPv6 network of 64 bits is one',
  ),
  HANDSHAKE_RATE: integer(1, 1_000_000, 200).describe(
    'new connections per second and address; more have to wait',
  ),
  MAX_BUFFERED: integer(16_384, 0x7fffffff, 2_097_152).describe(
    'bytes that may wait for one client before it is closed with 4408',
  ),
  MEMORY_BUDGET: integer(65_536, 0x7fffffffff, 268_435_456).describe(
    'bytes of memory for messages; one address gets half for those under way',
  ),
  MESSAGE_TIMEOUT: integer(50, 3_600_000, 30_000).describe(
    'milliseconds that an unfinished message may rest before it is closed with 1008',
  ),
  RATE_LIMIT: integer(1, 1_000_000, 100).describe(
    'messages, or frames of any kind, per second and client; of an address eight times that',
  ),
  RATE_BURST: integer(1, 1_000_000, 200).describe('messages a client may send at once'),
  // #if rate-limit
  USER_RATE_LIMIT: integer(1, 1_000_000, 200).describe(
    'commands per second of one user, over all connections; more are refused',
  ),
  USER_RATE_BURST: integer(1, 1_000_000, 400).describe('commands a user may send at once'),
  MAX_CONNECTIONS_PER_USER: integer(1, 1_000_000, 32).describe('open connections of one user'),
  // #endif
  // #if metrics
  METRICS_TOKEN: secret(16).describe('who reads /metrics has to send it; unset: everybody may'),
  // #endif
  HANDSHAKE_TIMEOUT: integer(50, 9000, 5000).describe(
    'milliseconds a client may take to send its handshake',
  ),
  DRAIN_DELAY: integer(0, 600_000, 0).describe(
    'milliseconds between SIGTERM and the first close, so that load balancers see /readyz',
  ),
  DRAIN_TIMEOUT: integer(0, 600_000, 5000).describe(
    'milliseconds that clients get for the closing handshake',
  ),
  // #if rooms
  MAX_ROOMS: integer(1, 1_000_000, 1000).describe('rooms at the same time'),
  MAX_ROOMS_PER_IP: integer(1, 1_000_000, 128).describe(
    'rooms that one address opens and keeps open',
  ),
  MAX_ROOM_MEMBERS: integer(1, 100_000, 1000).describe('members of one room'),
  MAX_ROOMS_PER_CLIENT: integer(1, 10_000, 128).describe('rooms one client may be in'),
  // #endif
  // #if pubsub
  MAX_STREAMS: integer(1, 1_000_000, 1000).describe(
    'first segments of topics that clients subscribe to at the same time',
  ),
  MAX_STREAMS_PER_IP: integer(1, 1_000_000, 128).describe('streams that count for one address'),
  MAX_SUBSCRIPTIONS: integer(1, 10_000_000, 50_000).describe('subscriptions at the same time'),
  MAX_SUBSCRIPTIONS_PER_IP: integer(1, 10_000_000, 5000).describe('subscriptions of one address'),
  // #endif
  // #if pubsub || mcp
  MAX_SUBSCRIPTIONS_PER_CLIENT: integer(1, 100_000, 128).describe('subscriptions of one client'),
  // #endif
  // #if pubsub
  CLIENT_PUBLISH: z.stringbool().default(true).describe('whether clients may publish'),
  // #endif
  // #if live || collab
  MAX_DOCUMENTS: integer(1, 100_000, 1000).describe('documents, of shared ones those in memory'),
  // #endif
  // #if collab
  MAX_STATE_BYTES: integer(1024, 0x7fffffff, 983_040).describe(
    'bytes of a shared document, as Yjs encodes it',
  ),
  PERSISTENCE_DIR: z
    .string()
    .optional()
    .describe('folder in which documents are kept; unset: in the memory of this process'),
  MAX_AWARENESS_BYTES: integer(16, 0x7fffffff, 4096).describe(
    'bytes of what one client of a document says of itself (awareness)',
  ),
  // #endif
  // #if live
  MAX_DOCUMENT_BYTES: integer(1024, 0x7fffffff, 262_144).describe('bytes of a document as JSON'),
  MAX_WATCHES_PER_CLIENT: integer(1, 100_000, 128).describe('documents that one client watches'),
  // #endif
  // #if graphql
  GRAPHQL_INIT_TIMEOUT: integer(50, 600_000, 3000).describe(
    'milliseconds for connection_init; who does not send it is closed with 4408',
  ),
  GRAPHQL_MAX_OPERATIONS: integer(1, 100_000, 100).describe(
    'operations of one connection at the same time',
  ),
  GRAPHQL_MAX_ALL_OPERATIONS: integer(1, 10_000_000, 50_000).describe(
    'operations of all connections at the same time',
  ),
  GRAPHQL_MAX_DEPTH: integer(1, 1000, 10).describe('fields of an operation in each other'),
  GRAPHQL_MAX_COST: integer(1, 1_000_000_000, 1000).describe(
    'fields of an operation, those of a list as often as it may have items',
  ),
  GRAPHQL_MAX_TOKENS: integer(1, 100_000, 1000).describe('words and signs of a document'),
  GRAPHQL_MAX_DOCUMENT: integer(1, 65_536, 16_384).describe('bytes of a document'),
  GRAPHQL_MAX_VARIABLES: integer(2, 65_536, 16_384).describe('bytes of its variables as JSON'),
  GRAPHQL_INTROSPECTION: z
    .stringbool()
    .optional()
    .describe('whether clients may read the schema; unset: unless NODE_ENV is production'),
  // #endif
  // #if pubsub || live
  PUBLISH_TOKEN: secret(32).describe('who sends it may publish over HTTP; unset: nobody'),
  // #endif
  // #if jsonrpc
  MAX_BATCH: integer(1, 100_000, 100).describe('requests in one batch of JSON-RPC'),
  CALL_TIMEOUT: integer(1, 86_400_000, 30_000).describe(
    'milliseconds that a client has to answer a call of the server',
  ),
  // #endif
  // #if jsonrpc || wamp || mcp
  MAX_CALLS_PER_CLIENT: integer(1, 100_000, 100).describe(
    'calls of one client that are in progress at the same time; more are refused',
  ),
  // #endif
  // #if wamp
  REALMS_FILE: z.string().optional().describe('realms of WAMP; unset: src/handlers/realms.yaml'),
  MAX_SUBSCRIPTIONS_PER_SESSION: integer(1, 1_000_000, 1000).describe(
    'subscriptions of one session of WAMP',
  ),
  MAX_REGISTRATIONS_PER_SESSION: integer(1, 1_000_000, 1000).describe(
    'registrations of one session of WAMP',
  ),
  MAX_WAMP_ENTRIES: integer(1, 10_000_000, 50_000).describe(
    'subscriptions and registrations of all sessions of WAMP',
  ),
  // #endif
  // #if presence
  PRESENCE_GRACE: integer(0, 600_000, 3000).describe(
    'milliseconds a user stays present after a lost connection',
  ),
  // #endif
  // #if history || live
  HISTORY_MESSAGES: integer(1, 100_000, 100).describe(`messages kept per ${PLACE}`),
  HISTORY_BYTES: integer(1024, 0x7fffffff, 131_072).describe(`bytes kept per ${PLACE}`),
  HISTORY_TTL: integer(0, 86_400_000, 300_000).describe(
    `milliseconds that the history of a ${PLACE} without clients is kept`,
  ),
  // #endif
  // #if resume
  RESUME_WINDOW: integer(0, 3_600_000, 120_000).describe(
    'milliseconds in which a message with the same id is not published again',
  ),
  // #endif
  // #if redis
  REDIS_URL: z
    .string()
    .refine(isRedisUrl, 'expected redis://[user:password@]host[:port][/number], or rediss://')
    .optional()
    .describe('Redis that several servers share; unset: all is in the memory of this process'),
  REDIS_PREFIX: z
    .string()
    .regex(/^[\w.:-]{1,214}$/, 'expected letters, digits, ".", "_", "-", ":"')
    .default(DEFAULTS.redisPrefix)
    .describe('what all names in Redis start with; servers with the same share what they have'),
  REDIS_TIMEOUT: integer(50, 60_000, 2000).describe(
    'milliseconds without an answer after which the server goes on without Redis',
  ),
  POSITION_CHECK: integer(50, 600_000, 10_000).describe(
    'milliseconds between checks whether anything that was published did not arrive',
  ),
  // #if presence
  PRESENCE_TTL: integer(50, 600_000, 30_000).describe(
    'milliseconds after which users are gone whose server has died',
  ),
  // #endif
  // #endif
});

// #if presence
/** Longest name of a user in a list of members, with its quotation marks and comma. */
const MEMBER_BYTES = 67;
// #endif

// #if rooms
/** Memory of a room besides its messages. */
const ROOM_BYTES = 2048;

// #endif
// #if pubsub
/** Memory of a stream besides its events, and of a subscription. */
const STREAM_BYTES = 2048;
const SUBSCRIPTION_BYTES = 4096;

// #endif
/**
 * Limits that need space in others: the first, times that in `times`, is at most the share of the second.
 * One that nobody set gives way; all set, they contradict each other.
 */
const RULES: readonly Rule[] = [
  { limit: 'MAX_CONNECTIONS_PER_IP', within: 'MAX_CONNECTIONS', share: 1 },
  { limit: 'MAX_BUFFERED', within: 'MEMORY_BUDGET', share: 1 / 2, why: 'one address gets half' },
  // #if rooms
  {
    limit: 'MAX_ROOMS',
    within: 'MEMORY_BUDGET',
    share: 1 / ROOM_BYTES,
    why: 'each takes 2 KiB without its messages',
  },
  // #endif
  // #if presence
  {
    limit: 'MAX_ROOM_MEMBERS',
    within: 'MAX_BUFFERED',
    share: 1 / 4 / MEMBER_BYTES,
    why: 'the reply to a join lists them',
  },
  // #endif
  // #if history || live
  {
    limit: 'HISTORY_BYTES',
    within: 'MAX_BUFFERED',
    share: 1 / 4,
    why: 'one reply holds them',
  },
  // #if rooms
  {
    limit: 'HISTORY_BYTES',
    times: 'MAX_ROOMS',
    within: 'MEMORY_BUDGET',
    share: 1 / 2,
    why: 'a byte that is kept takes two of memory',
  },
  // #endif
  // #if pubsub
  {
    limit: 'HISTORY_BYTES',
    times: 'MAX_STREAMS',
    within: 'MEMORY_BUDGET',
    share: 1 / 2,
    why: 'a byte that is kept takes two of memory',
  },
  // #endif
  // #endif
  // #if live
  {
    limit: 'MAX_DOCUMENT_BYTES',
    within: 'MAX_BUFFERED',
    share: 15 / 16,
    why: 'a snapshot holds it',
  },
  {
    limit: 'HISTORY_BYTES',
    times: 'MAX_DOCUMENTS',
    within: 'MEMORY_BUDGET',
    share: 1 / 2,
    why: 'a byte that is kept takes two of memory',
  },
  // #endif
  // #if collab
  {
    limit: 'MAX_STATE_BYTES',
    within: 'MAX_BUFFERED',
    share: 15 / 16,
    why: 'one message holds it',
  },
  // #if chat || pubsub || live
  // #else
  //~ {
  //~   limit: 'MAX_STATE_BYTES',
  //~   within: 'MAX_PAYLOAD',
  //~   share: 15 / 16,
  //~   why: 'one message holds it',
  //~ },
  // #endif
  // #endif
  // #if pubsub
  {
    limit: 'MAX_STREAMS',
    within: 'MEMORY_BUDGET',
    share: 1 / STREAM_BYTES,
    why: 'each takes 2 KiB without its events',
  },
  {
    limit: 'MAX_SUBSCRIPTIONS',
    within: 'MEMORY_BUDGET',
    share: 1 / SUBSCRIPTION_BYTES,
    why: 'each takes up to 4 KiB',
  },
  { limit: 'MAX_STREAMS_PER_IP', within: 'MAX_STREAMS', share: 1 },
  { limit: 'MAX_SUBSCRIPTIONS_PER_IP', within: 'MAX_SUBSCRIPTIONS', share: 1 },
  // #endif
  // #if rooms
  { limit: 'MAX_ROOMS_PER_IP', within: 'MAX_ROOMS', share: 1 },
  // #endif
  // #if redis
  // #if presence
  {
    limit: 'POSITION_CHECK',
    within: 'PRESENCE_TTL',
    share: 1 / 2,
    why: 'with each check a server says who is there',
  },
  // #endif
  // #endif
];

interface Rule {
  readonly limit: keyof Config;
  readonly times?: keyof Config;
  readonly within: keyof Config;
  readonly share: number;
  readonly why?: string;
}

/** The validated settings, under the names of their environment variables. */
export type Config = z.output<typeof Environment>;

/** A setting with a wrong value; the message names each one, what was read and what is expected. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads the settings from `env`; an empty variable counts as unset.
 * @throws {ConfigError} when a value is wrong.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.entries(env).filter(([, value]) => value !== undefined && value !== '');
  const result = Environment.safeParse(Object.fromEntries(given));
  if (result.success) return fitTogether(result.data, new Set(given.map(([name]) => name)));
  const sentences = result.error.issues.map((issue) => {
    const name = String(issue.path[0]);
    // #if auth || pubsub || live || metrics || redis
    // Secrets do not belong into logs, not even wrong ones.
    if (/SECRET|TOKEN|KEY|URL/.test(name)) return `${name} is wrong: ${issue.message}`;
    // #endif
    return `${name} is ${JSON.stringify(shortened(env[name] ?? ''))}: ${issue.message}`;
  });
  throw new ConfigError(sentences.join('\n'));
}

/** The start of a wrong value; not what looks like another setting in it, which may be a secret. */
function shortened(value: string): string {
  const end = Math.min(value.search(/[\r\n]|[A-Za-z_]\w*[ \t]*=|$/), MAX_SHOWN);
  return end < value.length ? `${value.slice(0, end)}…` : value;
}

function fitTogether(config: Config, given: ReadonlySet<string>): Config {
  const fitting: Record<string, unknown> = { ...config };
  const sentences = RULES.flatMap(({ limit, times, within, share, why }) => {
    const value = Number(fitting[limit]);
    const count = times === undefined ? 1 : Number(fitting[times]);
    const space = Number(fitting[within]) * share;
    const most = Math.floor(space / count);
    if (value <= most) return [];
    if (!given.has(limit)) {
      fitting[limit] = most;
      return [];
    }
    if (times !== undefined && !given.has(times) && value <= space) {
      fitting[times] = Math.floor(space / value);
      return [];
    }
    const factor = times === undefined ? '' : ` and ${times} ${String(count)}`;
    const reason = why === undefined ? '' : `: ${why}`;
    const lower = times === undefined ? limit : `${limit} or ${times}`;
    return [
      `${limit} is ${String(value)}: expected at most ${String(most)}, as ${within} is ` +
        `${String(fitting[within])}${factor}${reason}; lower ${lower}, or raise ${within}`,
    ];
  });
  // #if chat || pubsub || live
  const payload = Math.min(config.MAX_PAYLOAD, MAX_COMMAND_BYTES);
  // #else
  //~ const payload = config.MAX_PAYLOAD;
  // #endif
  if (payload > config.MEMORY_BUDGET / 2) {
    sentences.push(
      `MAX_PAYLOAD is ${String(payload)}: expected at most half of MEMORY_BUDGET, which is ` +
        String(config.MEMORY_BUDGET),
    );
  }
  // #if auth
  sentences.push(...contradictionsOfKeys(config));
  // #endif
  if (sentences.length > 0) throw new ConfigError(sentences.join('\n'));
  return fitting as unknown as Config;
}

// #if auth
function contradictionsOfKeys(config: Config): string[] {
  const keys = ['AUTH_SECRET', 'AUTH_PUBLIC_KEY', 'AUTH_JWKS_URL'] as const;
  const given = keys.filter((name) => config[name] !== undefined);
  if (given.length > 1) return [`${given.join(' and ')} are set: expected one of them`];
  if (given.length === 1 || config.NODE_ENV !== 'production') return [];
  return [
    `NODE_ENV is production and nothing says whose tokens are valid: set AUTH_SECRET (as from ` +
      `\`openssl rand -hex 32\`), AUTH_PUBLIC_KEY or AUTH_JWKS_URL`,
  ];
}

// #endif
/** One line per setting, for `--help`. */
export function describeConfig(): string {
  const defaults = Environment.parse({});
  const lines = Object.entries(Environment.shape).map(([name, schema]) => {
    const value = defaults[name as keyof Config];
    const shown = value === undefined ? '' : ` [${value.toString()}]`;
    return `  ${name.padEnd(30)}${schema.description ?? ''}${shown}`;
  });
  return `Settings, all from the environment:\n${lines.join('\n')}\n`;
}

function integer(min: number, max: number, fallback: number) {
  const expected = `expected an integer from ${String(min)} to ${String(max)}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, { error: expected, abort: true })
    .transform(Number)
    .refine((value) => value >= min && value <= max, expected)
    .default(fallback);
}

function list(fallback: readonly string[], isValid: (item: string) => boolean, what: string) {
  return z
    .string()
    .transform((text): readonly string[] => text.split(',').map((item) => item.trim()))
    .refine((items) => items.every(isValid), `expected ${what}, separated by commas`)
    .default(fallback);
}

// #if auth || metrics || pubsub || live
/** A token that an administrator or another program sends; long enough that nobody guesses it. */
function secret(least: number) {
  return z
    .string()
    .regex(
      new RegExp(`^[!-~]{${String(least)},}$`),
      `expected at least ${String(least)} characters without blanks, as from ` +
        `\`openssl rand -hex ${String(least)}\``,
    )
    .optional();
}

// #endif
// #if auth
function isPublicKey(pem: string): boolean {
  // Who has the private key could make tokens: it does not belong here.
  if (pem.includes('PRIVATE')) return false;
  try {
    return algorithmOf(createPublicKey(pem)) !== undefined;
  } catch {
    return false;
  }
}

function isKeysUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  return protocol === 'https:' || (protocol === 'http:' && isLocal);
}

// #endif
// #if redis
function isRedisUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, pathname, search, hash } = new URL(text);
  if (!['redis:', 'rediss:'].includes(protocol) || hostname === '') return false;
  return /^(?:\/\d{0,5})?$/.test(pathname) && search + hash === '';
}

// #endif
/** RFC 6455 section 4.1, item 10: a subprotocol is named by a token (RFC 9110 section 5.6.2). */
function isToken(text: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text);
}

/** As in a URL: `chat.example.com`, `192.0.2.1`, `[2001:db8::1]`. */
function isHostName(text: string): boolean {
  const url = `http://${text}`;
  return URL.canParse(url) && new URL(url).hostname === text.toLowerCase();
}

/** Exactly as browsers send it: no path, no trailing slash, and no `*`, with which every page could act for its visitors. */
function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}
