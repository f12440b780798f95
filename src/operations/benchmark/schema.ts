import * as z from 'zod';
import {
  DurationMs,
  DurationOrNoneMs,
  HeaderLine,
  Subprotocol,
  WebSocketUrl,
} from '../../core/fields.ts';

const target = {
  url: WebSocketUrl.optional().describe('server under load'),
  project: z
    .string()
    .min(1)
    .optional()
    .describe(
      'generated project (folder or single file) to start, load and stop, in place of a url',
    )
    .meta({ placeholder: 'path' }),
};

const load = {
  mode: z
    .enum(['echo', 'fanout', 'connect', 'idle', 'soak'])
    .optional()
    .describe(
      'round trips, deliveries to a room, handshakes, quiet connections, or round trips for hours; ' +
        'echo if absent, fanout for a project that does not echo',
    ),
  connections: z.int().min(1).max(1_000_000).default(100).describe('connections to open'),
  messagesPerSecond: z
    .number()
    .positive()
    .optional()
    .describe(
      'messages per second of EACH connection (of each publisher in the mode fanout); ' +
        '10 if none of this, --rate and --pipeline is given',
    ),
  rate: z
    .number()
    .positive()
    .optional()
    .describe(
      'messages per second of all connections together; in the mode connect, handshakes per second',
    ),
  pipeline: z
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .describe('closed loop: keep so many messages in flight on each connection, at no rate'),
  arrivals: z
    .enum(['constant', 'poisson'])
    .default('constant')
    .describe('how the moments at which messages are due lie in time'),
  seed: z
    .int()
    .min(0)
    .max(0xffffffff)
    .default(1)
    .describe('of what is random: arrivals, sizes and payloads'),
  durationMs: DurationMs.optional()
    .describe('how long is measured; 10s if absent, 1h in the mode soak')
    .meta({ flag: 'duration', placeholder: 'time' }),
  rampMs: DurationOrNoneMs.default(0)
    .describe('time over which the connections are opened; 0: as fast as they can be')
    .meta({ flag: 'ramp', placeholder: 'time' }),
  warmupMs: DurationOrNoneMs.optional()
    .describe('traffic before the measured one; 10 % of the duration, at most 5s, if absent')
    .meta({ flag: 'warmup', placeholder: 'time' }),
  drainMs: DurationOrNoneMs.default(5000)
    .describe('how long replies are waited for at the end before they count as lost')
    .meta({ flag: 'drain', placeholder: 'time' }),
};

const message = {
  size: z
    .preprocess(toText, z.string().min(1))
    .optional()
    .describe('payload: bytes, uniform:MIN-MAX, or a file that holds it; 32 if absent')
    .meta({ placeholder: 'bytes|uniform:a-b|file' }),
  text: z.boolean().default(false).describe('send text messages'),
  binary: z.boolean().default(false).describe('send binary messages; so it is if neither is given'),
};

const fanout = {
  publishers: z
    .int()
    .min(1)
    .optional()
    .describe('mode fanout: connections that publish; 1 if absent'),
  join: z
    .array(z.string())
    .optional()
    .describe(
      'mode fanout: text each connection sends once it is open, may be repeated; ' +
        'joins a room of our chat servers if absent',
    )
    .meta({ placeholder: 'text' }),
  publish: z
    .string()
    .min(1)
    .optional()
    .describe(
      'mode fanout: what is published, with {{id}} for 16 digits by which deliveries are matched; ' +
        'a message of our chat servers if absent',
    )
    .meta({ placeholder: 'text' }),
  toSelf: z
    .boolean()
    .default(true)
    .describe('mode fanout: whether the server sends a message back to its publisher, too'),
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
    .describe('threads that carry the connections; auto: min(cores - 1, connections / 500)')
    .meta({ placeholder: 'auto|number' }),
  precise: z
    .boolean()
    .default(false)
    .describe('spin between two messages: sharper moments for a whole core of each worker'),
  scenario: z
    .string()
    .min(1)
    .optional()
    .describe('what each client does, in place of a mode: chat, json-rpc, or a YAML file')
    .meta({ placeholder: 'name|file' }),
  distributed: z
    .string()
    .refine((text) => URL.canParse(text) && /^rediss?:$/.test(new URL(text).protocol), {
      message: 'expected a redis:// or rediss:// URL',
    })
    .optional()
    .describe('Redis through which machines that run benchmark-worker share the load')
    .meta({ placeholder: 'url' }),
  remoteWorkers: z
    .int()
    .min(1)
    .max(1000)
    .optional()
    .describe('benchmark-workers to wait for, with --distributed; 1 if absent'),
  workerTimeoutMs: DurationMs.default(30_000)
    .describe('how long benchmark-workers are waited for, with --distributed')
    .meta({ flag: 'worker-timeout', placeholder: 'time' }),
};

const connection = {
  headers: z
    .array(HeaderLine)
    .default([])
    .describe('extra request header, may be repeated')
    .meta({ flag: 'header' }),
  subprotocols: z
    .array(Subprotocol)
    .default([])
    .describe('subprotocol to offer, may be repeated')
    .meta({ flag: 'subprotocol', placeholder: 'name' }),
  compression: z
    .boolean()
    .default(false)
    .describe('offer permessage-deflate; through the full client, which is slower'),
  tokenFile: z
    .string()
    .min(1)
    .optional()
    .describe('file with a bearer token on each line, which connections take in turn')
    .meta({ placeholder: 'file' }),
  insecure: z.boolean().default(false).describe('accept any TLS certificate'),
  ca: pemFile('file with the PEM certificates to trust'),
  cert: pemFile('file with the PEM certificate of this client'),
  key: pemFile('file with the PEM key of this client'),
  connectTimeoutMs: DurationMs.default(10_000)
    .describe('bound of each opening handshake')
    .meta({ flag: 'connect-timeout', placeholder: 'time' }),
  sourceIps: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'local addresses to connect from, in turn, as one address has some 28000 ports; ' +
        'auto: as many of 127.0.0.0/8, or of this machine, as are needed',
    )
    .meta({ flag: 'source-ip', separator: ',', placeholder: 'addresses' }),
};

const judgement = {
  thresholds: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'what has to hold, as p99<20ms, errors<0.1% or rate>=0.99, may be repeated; ' +
        'errors<=0 besides, unless one of them is about errors',
    )
    .meta({ flag: 'threshold', placeholder: 'rule' }),
  strict: z
    .boolean()
    .default(false)
    .describe('exit 4 when the generator was the limit, as the figures are not of the server then'),
  repeat: z
    .int()
    .min(1)
    .max(100)
    .optional()
    .describe('runs, for medians with intervals; with --compare, blocks A B B A, 4 if absent'),
  compare: WebSocketUrl.optional().describe('another server, to say which of the two is better'),
  minEffect: z
    .number()
    .min(0)
    .max(100)
    .default(5)
    .describe('percent that two servers have to differ by')
    .meta({ placeholder: 'percent' }),
  findMax: z.boolean().default(false).describe('search the highest rate at which --slo holds'),
  slo: z
    .string()
    .min(1)
    .optional()
    .describe('a threshold, as p99<50ms, for --find-max')
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
    .describe('process of the server, if it is on this machine; found by its port if absent'),
};

export const BenchmarkInput = z
  .strictObject({
    ...target,
    ...load,
    ...message,
    ...fanout,
    ...generator,
    ...connection,
    ...judgement,
    ...output,
  })
  .refine(({ url, project }) => (url === undefined) !== (project === undefined), {
    message: 'expected either a url or a project',
    path: ['url'],
  });
export type BenchmarkInput = z.output<typeof BenchmarkInput>;

/** A command line makes numbers of what looks like one only where the schema says so. */
function toText(value: unknown): unknown {
  return typeof value === 'number' ? String(value) : value;
}

function pemFile(description: string) {
  return z.string().min(1).optional().describe(description).meta({ placeholder: 'file' });
}
