import * as z from 'zod';
import { DurationMs, DurationOrNoneMs, Subprotocol, WebSocketUrl } from '../../core/fields.ts';
import { ThresholdText } from '../../load/stats/threshold.ts';
import { targetFields } from '../../target/fields.ts';

const { url, project, headers, insecure, ca } = targetFields;

const load = {
  mode: z
    .enum(['echo', 'fanout', 'connect', 'idle', 'soak'])
    .optional()
    .describe(
      'echo: round trips; fanout: one message to many receivers; connect: opening handshakes; ' +
        'idle: open connections without messages; soak: round trips for hours ' +
        '(default: echo; fanout for a project that does not echo)',
    ),
  connections: z.int().min(1).max(1_000_000).default(100).describe('connections to open'),
  messagesPerSecond: z
    .number()
    .positive()
    .optional()
    .describe(
      'messages per second of EACH connection, in mode fanout of each publisher ' +
        '(default: 10, unless --rate or --pipeline is given)',
    ),
  rate: z
    .number()
    .positive()
    .optional()
    .describe(
      'messages per second of all connections together; in mode connect, handshakes per second',
    ),
  pipeline: z
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .describe(
      'messages in flight on each connection: each reply lets the next be sent (closed loop, no rate)',
    ),
  arrivals: z
    .enum(['constant', 'poisson'])
    .default('constant')
    .describe('times between messages: all equal (constant) or random (poisson)'),
  seed: z
    .int()
    .min(0)
    .max(0xffffffff)
    .default(1)
    .describe('seed of the random values: times, sizes and payloads'),
  durationMs: DurationMs.optional()
    .describe('length of the measured phase (default: 10s, in mode soak 1h)')
    .meta({ flag: 'duration' }),
  rampMs: DurationOrNoneMs.default(0)
    .describe('time over which the connections are opened; 0: as fast as possible')
    .meta({ flag: 'ramp' }),
  warmupMs: DurationOrNoneMs.optional()
    .describe(
      'length of the traffic before the measured phase (default: 10 % of --duration, at most 5s)',
    )
    .meta({ flag: 'warmup' }),
  drainMs: DurationOrNoneMs.default(5000)
    .describe('time to wait for replies at the end; later replies count as lost')
    .meta({ flag: 'drain' }),
};

const message = {
  size: z
    .preprocess(toText, z.string().min(1))
    .optional()
    .describe(
      'payload size in bytes, random sizes as uniform:MIN-MAX, or a file with the payload (default: 32)',
    )
    .meta({ placeholder: 'bytes|uniform:a-b|file' }),
  text: z.boolean().default(false).describe('send text messages'),
  binary: z.boolean().default(false).describe('send binary messages (the default)'),
};

const fanout = {
  publishers: z
    .int()
    .min(1)
    .optional()
    .describe('mode fanout: connections that publish (default: 1)'),
  join: z
    .array(z.string())
    .optional()
    .describe(
      'mode fanout: text that each connection sends first; repeatable ' +
        '(default: joins a room of a generated chat server)',
    )
    .meta({ placeholder: 'text' }),
  publish: z
    .string()
    .min(1)
    .optional()
    .describe(
      'mode fanout: text to publish; {{id}} becomes the 16 digits that identify a message ' +
        '(default: a message of a generated chat server)',
    )
    .meta({ placeholder: 'text' }),
  toSelf: z
    .boolean()
    .default(true)
    .describe('mode fanout: the server sends a message to its publisher, too'),
};

const generator = {
  workers: z
    .preprocess(
      toText,
      z
        .string()
        .regex(/^(auto|[1-9]|[1-5]\d|6[0-4])$/, 'expected auto or a whole number from 1 to 64'),
    )
    .default('auto')
    .describe('threads of the load generator; auto: connections / 500, at most CPU cores - 1')
    .meta({ placeholder: 'auto|number' }),
  precise: z
    .boolean()
    .default(false)
    .describe('send at more exact times; each thread then uses a whole CPU core'),
  scenario: z
    .string()
    .min(1)
    .optional()
    .describe(
      'what each client does, instead of --mode: chat, live-updates, json-rpc, mcp, or a YAML file',
    )
    .meta({ placeholder: 'name|file' }),
  tool: z
    .string()
    .min(1)
    .optional()
    .describe(
      'the tool that --scenario mcp calls, with its arguments as JSON: `add {"a": 1}` (default: that of a new project, else ping)',
    )
    .meta({ placeholder: 'call' }),
  distributed: z
    .string()
    .refine((text) => URL.canParse(text) && /^rediss?:$/.test(new URL(text).protocol), {
      message: 'expected a redis:// or rediss:// URL',
    })
    .optional()
    .describe('URL of the Redis through which machines that run benchmark-worker share the load')
    .meta({ placeholder: 'url' }),
  remoteWorkers: z
    .int()
    .min(1)
    .max(1000)
    .optional()
    .describe('benchmark-workers to wait for, with --distributed (default: 1)'),
  workerTimeoutMs: DurationMs.default(30_000)
    .describe('time to wait for benchmark-workers, with --distributed')
    .meta({ flag: 'worker-timeout' }),
};

const connection = {
  headers,
  subprotocols: z
    .array(Subprotocol)
    .default([])
    .describe('subprotocol to offer; repeatable')
    .meta({ flag: 'subprotocol', placeholder: 'name' }),
  compression: z
    .boolean()
    .default(false)
    .describe('offer permessage-deflate; the load generator is slower with it'),
  tokenFile: z
    .string()
    .min(1)
    .optional()
    .describe('file with one bearer token per line, which connections take in turn')
    .meta({ placeholder: 'file' }),
  insecure,
  ca,
  cert: pemFile('PEM file with the certificate of this client'),
  key: pemFile('PEM file with the private key of this client'),
  connectTimeoutMs: DurationMs.default(10_000)
    .describe('time limit of each opening handshake')
    .meta({ flag: 'connect-timeout' }),
  sourceIps: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'local addresses to connect from, in turn (one has about 28,000 ports); ' +
        'auto: as many as are needed, of 127.0.0.0/8 or of this machine',
    )
    .meta({ flag: 'source-ip', separator: ',', placeholder: 'addresses' }),
};

const judgement = {
  thresholds: z
    .array(ThresholdText)
    .default([])
    .describe(
      'condition that must hold, such as p99<20ms, errors<0.1% or rate>=0.99; repeatable; ' +
        'errors<=0 must hold too, unless one is about errors or lost',
    )
    .meta({ flag: 'threshold', placeholder: 'rule' }),
  strict: z
    .boolean()
    .default(false)
    .describe(
      "exit 4 if the load generator was saturated or disturbed, so that the figures may not be the server's",
    ),
  repeat: z
    .int()
    .min(1)
    .max(100)
    .optional()
    .describe(
      'number of runs, for medians with intervals; with --compare, number of blocks A B B A (default: 4)',
    ),
  compare: WebSocketUrl.optional().describe(
    'URL of a second server, to report which of the two is faster',
  ),
  minEffect: z
    .number()
    .min(0)
    .max(100)
    .default(5)
    .describe('smallest difference that counts, with --compare')
    .meta({ placeholder: 'percent' }),
  findMax: z.boolean().default(false).describe('find the highest rate at which --slo holds'),
  slo: ThresholdText.optional()
    .describe('threshold for --find-max, such as p99<50ms')
    .meta({ placeholder: 'rule' }),
};

const output = {
  output: z
    .string()
    .min(1)
    .default('benchmark-report')
    .describe('folder for the reports')
    .meta({ placeholder: 'folder' }),
  pid: z
    .int()
    .min(1)
    .optional()
    .describe('process id of the server, if it is on this machine (default: found by its port)'),
};

export const BenchmarkInput = z
  .strictObject({
    url,
    project,
    ...load,
    ...message,
    ...fanout,
    ...generator,
    ...connection,
    ...judgement,
    ...output,
  })
  .refine(({ url, project }) => (url === undefined) !== (project === undefined), {
    message: 'expected either --url or --project, not both',
    path: ['url'],
  });
export type BenchmarkInput = z.output<typeof BenchmarkInput>;

/** The command line passes a numeral as text where the schema expects text, a task may pass a number. */
function toText(value: unknown): unknown {
  return typeof value === 'number' ? String(value) : value;
}

function pemFile(description: string) {
  return z.string().min(1).optional().describe(description).meta({ placeholder: 'file' });
}

/** `messagesPerSecond` -> `--messages-per-second`, `sourceIps` -> `--source-ip`. */
export function flagOf(field: keyof BenchmarkInput): string {
  const meta = BenchmarkInput.shape[field].meta();
  const kebab = field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return `--${typeof meta?.['flag'] === 'string' ? meta['flag'] : kebab}`;
}
