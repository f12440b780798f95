import { z } from 'zod';

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
    'largest message in bytes, also after decompression; a larger one is closed with 1009',
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
    'allowed Origin headers; unset: this host only',
  ),
  TRUST_PROXY: integer(0, 10, 0).describe(
    'reverse proxies in front whose X-Forwarded-For is trusted',
  ),
  MAX_CONNECTIONS: integer(1, 1_000_000, 10_000).describe('open connections in total'),
  MAX_CONNECTIONS_PER_IP: integer(1, 1_000_000, 256).describe('open connections per address'),
  MAX_BUFFERED: integer(1024, 0x7fffffff, 1_048_576).describe(
    'bytes that may wait for one client before it is closed with 4408',
  ),
  RATE_LIMIT: integer(1, 1_000_000, 100).describe('messages per second and client'),
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
  if (result.success) return result.data;
  const sentences = result.error.issues.map((issue) => {
    const name = String(issue.path[0]);
    return `${name} is ${JSON.stringify(env[name])}: ${issue.message}`;
  });
  throw new ConfigError(sentences.join('\n'));
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

/** Exactly as browsers send it: no path, no trailing slash, no wildcard. */
function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}
