import { isIP } from 'node:net';
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { CLOSE_CODES } from './close-codes.ts';
import type { Config } from './config.ts';
import { isOwnHost } from './handshake.ts';
import { problem } from './http.ts';
import type { HttpAnswer, HttpRequest, Route } from './http.ts';
// #if redis
import type { RedisLink } from './redis-link.ts';
// #endif
import { bearerOf, isSecret } from './secrets.ts';

/** What is counted while messages pass is a number in a map; the rest is done when somebody asks. */
type Counts = Map<string, { count: number }>;

/** What the server itself knows. */
export interface Sources {
  readonly connections: () => number;
  /** Bytes of unfinished, inflated and waiting messages. */
  readonly held: () => number;
  // #if rooms || pubsub || live || collab
  readonly rooms: () => number;
  // #endif
  // #if redis
  /** Undefined without REDIS_URL. */
  readonly redis: RedisLink | undefined;
  // #endif
}

/** Close codes that are counted one by one; a peer could make up any number of others. */
const CODES = new Set([
  ...[1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011, 1012, 1013],
  ...Object.values(CLOSE_CODES).map(({ code }) => code),
]);

/** The figures of a server, as Prometheus reads them. No label holds what a client makes up. */
export class Metrics {
  readonly #registry = new Registry();
  /** Not by close codes: one that reads nothing never sees its own. */
  slowConsumers = 0;
  readonly #handshakes: Counts = new Map();
  readonly #received: Counts = new Map();
  readonly #sent: Counts = new Map();
  readonly #closed: Counts = new Map();
  readonly #limited: Counts = new Map();
  // #if resume || live
  readonly #recoveries: Counts = new Map();
  // #endif
  readonly #seconds = new Seconds();
  readonly #token: string | undefined;
  readonly #config: Config;

  constructor(config: Config, sources: Sources) {
    this.#config = config;
    this.#token = config.METRICS_TOKEN;
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    const gauge = (name: string, help: string, read: () => number): void => {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    };
    const counter = (name: string, help: string, label: string, counts: Counts): void => {
      new Counter({
        name,
        help,
        registers,
        labelNames: [label],
        collect() {
          this.reset();
          for (const [value, { count }] of counts) this.inc({ [label]: value }, count);
        },
      });
    };
    gauge('ws_connections', 'Open connections', sources.connections);
    gauge('ws_buffered_bytes', 'Bytes of unfinished, inflated and waiting messages', sources.held);
    // #if rooms || pubsub || live || collab
    gauge('ws_rooms', 'Rooms, streams or documents that clients are in', sources.rooms);
    // #endif
    gauge(
      'ws_slow_consumers',
      'Connections closed since the start as they read too slowly',
      () => this.slowConsumers,
    );
    counter('ws_handshakes_total', 'Handshakes by result', 'result', this.#handshakes);
    counter('ws_messages_received_total', 'Commands by type', 'type', this.#received);
    counter('ws_messages_sent_total', 'Messages by type', 'type', this.#sent);
    counter('ws_closes_total', 'Ended connections by close code', 'code', this.#closed);
    // #if resume || live
    counter('ws_recoveries_total', 'Resumes, by whether all was there', 'ok', this.#recoveries);
    // #endif
    counter('ws_rate_limited_total', 'What was above a rate, by whose', 'limit', this.#limited);
    // #if redis
    const { redis } = sources;
    const total = (name: string, help: string, read: () => number | undefined): void => {
      new Counter({
        name,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(read() ?? 0);
        },
      });
    };
    gauge('ws_redis_degraded', '1 while the Redis of REDIS_URL is out of reach', () =>
      redis?.trouble === undefined ? 0 : 1,
    );
    total(
      'ws_redis_connects_total',
      'Connections made to Redis: the first, and one after each loss',
      () => redis?.figures.connects,
    );
    counter(
      'ws_redis_errors_total',
      'Commands of Redis that failed: it was down, it was full, or it refused them',
      'why',
      redis?.figures.errors ?? new Map<string, { count: number }>(),
    );
    total(
      'ws_redis_missed_total',
      'Messages that Redis has not passed on, as their positions show',
      () => redis?.figures.missed,
    );
    total(
      'ws_redis_lost_positions_total',
      'Rooms, streams or documents whose clients had to be told of a gap',
      () => redis?.figures.lost,
    );
    // #endif
  }

  /** `accepted`, or the HTTP status of a refusal. */
  handshake(result: string): void {
    add(this.#handshakes, result);
  }

  /** A command that matches the schema. */
  received(type: string): void {
    add(this.#received, type);
  }

  sent(type: string): void {
    add(this.#sent, type);
  }

  /** A command has been carried out; `startedAt` as of `performance.now()`. */
  finished(type: string, startedAt: number): void {
    this.#seconds.add(type, (performance.now() - startedAt) / 1000);
  }

  closed(code: number): void {
    add(this.#closed, CODES.has(code) ? String(code) : 'other');
  }

  limited(limit: 'connection' | 'user'): void {
    add(this.#limited, limit);
  }
  // #if resume || live

  /** A client has come with a position; `ok`: it gets everything after that. */
  recovered(ok: boolean): void {
    add(this.#recoveries, String(ok));
  }
  // #endif

  get route(): Route {
    return {
      method: 'GET',
      path: /^\/metrics$/,
      maxBody: 0,
      // Prometheus asks by address or by the name of a service.
      isForAnyHost: true,
      answer: (request) => this.#answer(request),
    };
  }

  async #answer({ headers }: HttpRequest): Promise<HttpAnswer> {
    const site = headers['sec-fetch-site'] ?? 'none';
    if (headers.origin !== undefined || !['none', 'same-origin'].includes(site)) {
      return problem(403, 'not for pages of other sites');
    }
    if (this.#token === undefined) {
      // A page can make its own name point here (DNS rebinding), but no address.
      const host = (headers.host ?? '').replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1');
      if (isIP(host) === 0 && !isOwnHost(headers.host, this.#config)) {
        return problem(421, 'not in ALLOWED_HOSTS, and no METRICS_TOKEN is set');
      }
    } else if (!isSecret(bearerOf(headers.authorization), this.#token)) {
      return problem(401, 'expected METRICS_TOKEN', { 'WWW-Authenticate': 'Bearer' });
    }
    const body = `${await this.#registry.metrics()}\n${this.#seconds.text}`;
    return { status: 200, headers: { 'Content-Type': this.#registry.contentType }, body };
  }
}

/** Upper ends of its buckets. */
const SECONDS = [0.0001, 0.001, 0.01, 0.1, 1, 10, Infinity] as const;

/** A histogram by type of command: to add a value costs less than in that of the library. */
class Seconds {
  readonly #name = 'ws_command_seconds';
  /** Values in each bucket, and their sum. */
  readonly #byType = new Map<string, { readonly counts: number[]; sum: number }>();

  add(type: string, seconds: number): void {
    let known = this.#byType.get(type);
    if (known === undefined) {
      known = { counts: SECONDS.map(() => 0), sum: 0 };
      this.#byType.set(type, known);
    }
    const { counts } = known;
    let bucket = 0;
    while (seconds > (SECONDS[bucket] ?? Infinity)) bucket += 1;
    counts[bucket] = (counts[bucket] ?? 0) + 1;
    known.sum += seconds;
  }

  /** In the text format of Prometheus, in which a bucket holds those before it, too. */
  get text(): string {
    const lines = [...this.#byType].flatMap(([type, { counts, sum }]) => {
      let count = 0;
      const buckets = SECONDS.map((end, bucket) => {
        count += counts[bucket] ?? 0;
        const le = end === Infinity ? '+Inf' : String(end);
        return `${this.#name}_bucket{le="${le}",type="${type}"} ${String(count)}`;
      });
      const ends = [
        `_sum{type="${type}"} ${String(sum)}`,
        `_count{type="${type}"} ${String(count)}`,
      ];
      return [...buckets, ...ends.map((end) => `${this.#name}${end}`)];
    });
    const head = `# HELP ${this.#name} Time from a command to its end\n# TYPE ${this.#name} histogram`;
    return `${[head, ...lines].join('\n')}\n`;
  }
}

function add(counts: Counts, key: string): void {
  const known = counts.get(key);
  if (known === undefined) counts.set(key, { count: 1 });
  else known.count += 1;
}
