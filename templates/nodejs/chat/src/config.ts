import { z } from 'zod';
import { MAX_COMMAND_BYTES } from './messages.ts';

/** The generated defaults; environment variables override them. */
const DEFAULTS = {
  port: 8080,
  maxPayload: 1048576,
  pingInterval: 30000,
  compression: 'permessage-deflate',
  serverNoContextTakeover: true,
  subprotocols: ['chat.v1'],
} as const;

/** Every setting: environment variable, range, default and purpose. */
const Environment = z.object({
  PORT: integer(0, 65_535, DEFAULTS.port).describe('port; 0 lets the system pick a free one'),
  HOST: z.string().optional().describe('address to listen on; unset: every interface'),
  MAX_PAYLOAD: integer(1, 0x7fffffff, DEFAULTS.maxPayload).describe(
    'largest message in bytes, 65536 at most, also inflated; a larger one is closed with 1009',
  ),
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
  ALLOWED_ORIGINS: list([], isOrigin, 'origins as in https://chat.example.com').describe(
    'allowed Origin headers; unset: this host, and localhost unless NODE_ENV is production',
  ),
  ALLOWED_HOSTS: list([], isHostName, 'host names without a port').describe(
    'names of this server besides localhost, 127.0.0.1 and [::1]; pages have to come from one',
  ),
  NODE_ENV: z.string().default('development').describe('production: nothing is allowed for tests'),
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
    'bytes of unfinished, inflated and waiting messages of all; half of it for one address',
  ),
  MESSAGE_TIMEOUT: integer(50, 3_600_000, 30_000).describe(
    'milliseconds that an unfinished message may rest before it is closed with 1008',
  ),
  RATE_LIMIT: integer(1, 1_000_000, 100).describe(
    'messages, or frames of any kind, per second and client; of an address eight times that',
  ),
  RATE_BURST: integer(1, 1_000_000, 200).describe('messages a client may send at once'),
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
  MAX_ROOMS_PER_IP: integer(1, 1_000_000, 128).describe('rooms that one address keeps open'),
  MAX_ROOM_MEMBERS: integer(1, 100_000, 1000).describe('members of one room'),
  MAX_ROOMS_PER_CLIENT: integer(1, 10_000, 128).describe('rooms one client may be in'),
  // #endif
  // #if presence
  PRESENCE_GRACE: integer(0, 600_000, 3000).describe(
    'milliseconds a user stays present after a lost connection',
  ),
  // #endif
  // #if history
  HISTORY_MESSAGES: integer(1, 100_000, 100).describe('messages kept per room'),
  HISTORY_BYTES: integer(1024, 0x7fffffff, 262_144).describe('bytes kept per room'),
  HISTORY_TTL: integer(0, 86_400_000, 300_000).describe(
    'milliseconds that the history of an empty room is kept',
  ),
  // #endif
});

// #if presence
/** Longest name of a user in a list of members, with its quotation marks and comma. */
const MEMBER_BYTES = 67;
// #endif

/**
 * Limits that need space in others: the first, times its factor, is at most the share of the second.
 * One that nobody set gives way; both set, they contradict each other.
 */
const RULES: readonly Rule[] = [
  { limit: 'MAX_CONNECTIONS_PER_IP', within: 'MAX_CONNECTIONS', share: 1 },
  { limit: 'MAX_BUFFERED', within: 'MEMORY_BUDGET', share: 1 / 2, why: 'one address gets half' },
  // #if rooms
  { limit: 'MAX_ROOMS_PER_IP', within: 'MAX_ROOMS', share: 1 },
  // #endif
  // #if presence
  {
    limit: 'MAX_ROOM_MEMBERS',
    within: 'MAX_BUFFERED',
    share: 1 / 4 / MEMBER_BYTES,
    why: 'the reply to a join lists them',
  },
  // #endif
  // #if history
  {
    limit: 'HISTORY_BYTES',
    within: 'MAX_BUFFERED',
    share: 1 / 4,
    why: 'the reply to a join holds them',
  },
  // #endif
];

interface Rule {
  readonly limit: keyof Config;
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
    return `${name} is ${JSON.stringify(env[name])}: ${issue.message}`;
  });
  throw new ConfigError(sentences.join('\n'));
}

function fitTogether(config: Config, given: ReadonlySet<string>): Config {
  const fitting: Record<string, unknown> = { ...config };
  const sentences = RULES.flatMap(({ limit, within, share, why }) => {
    const value = Number(fitting[limit]);
    const most = Math.floor(Number(fitting[within]) * share);
    if (value <= most) return [];
    if (!given.has(limit)) {
      fitting[limit] = most;
      return [];
    }
    const reason = why === undefined ? '' : `: ${why}`;
    return [
      `${limit} is ${String(value)}: expected at most ${String(most)}, as ${within} is ` +
        `${String(fitting[within])}${reason}`,
    ];
  });
  const payload = Math.min(config.MAX_PAYLOAD, MAX_COMMAND_BYTES);
  if (payload > config.MEMORY_BUDGET / 2) {
    sentences.push(
      `MAX_PAYLOAD is ${String(payload)}: expected at most half of MEMORY_BUDGET, which is ` +
        String(config.MEMORY_BUDGET),
    );
  }
  if (sentences.length > 0) throw new ConfigError(sentences.join('\n'));
  return fitting as unknown as Config;
}

/** One line per setting, for `--help`. */
export function describeConfig(): string {
  const defaults = Environment.parse({});
  const lines = Object.entries(Environment.shape).map(([name, schema]) => {
    const value = defaults[name as keyof Config];
    const shown = value === undefined ? '' : ` [${value.toString()}]`;
    return `  ${name.padEnd(28)}${schema.description ?? ''}${shown}`;
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

/** RFC 6455 section 4.1, item 10: a subprotocol is named by a token (RFC 9110 section 5.6.2). */
function isToken(text: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text);
}

/** As in a URL: `chat.example.com`, `192.0.2.1`, `[2001:db8::1]`. */
function isHostName(text: string): boolean {
  const url = `http://${text}`;
  return URL.canParse(url) && new URL(url).hostname === text.toLowerCase();
}

/** Exactly as browsers send it: no path, no trailing slash, no wildcard. */
function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}
