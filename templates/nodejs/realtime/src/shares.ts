import { isIPv4, isIPv6 } from 'node:net';
import type { Config } from './config.ts';
import { log } from './log.ts';
import type { Level } from './log.ts';
import { TokenBucket } from './token-bucket.ts';

/** TCP connections of one address beyond its limit: handshakes under way and health checks. */
const SPARE_PER_ADDRESS = 16;
/** How many clients of one address may use up their rates at the same time. */
const CLIENTS_AT_FULL_RATE = 8;
/** Log lines of one address: a second, and at once. */
const LINES = { perSecond: 5, burst: 50 } as const;
/** Longest text in a log line that comes from a peer. */
const MAX_LOGGED = 200;

/** What one address has and uses, so that no other has to go without. */
export class Share {
  readonly address: string;
  /** TCP connections, and those of them that are past their handshake. */
  tcp = 0;
  open = 0;
  // #if rooms
  /** Rooms whose owner is one of its clients. */
  rooms = 0;
  // #endif
  // #if pubsub
  /** Subscriptions of its clients, and the streams that they made necessary. */
  subscriptions = 0;
  streams = 0;
  // #endif
  /** Bytes of unfinished, inflated and waiting messages. */
  held = 0;
  readonly frames: TokenBucket;
  readonly handshakes: TokenBucket;
  readonly #lines = new TokenBucket(LINES.perSecond, LINES.burst);
  #leftOut = 0;

  constructor(address: string, config: Config) {
    this.address = address;
    this.frames = new TokenBucket(
      config.RATE_LIMIT * CLIENTS_AT_FULL_RATE,
      config.RATE_BURST * CLIENTS_AT_FULL_RATE,
    );
    const atOnce = 2 * config.MAX_CONNECTIONS_PER_IP + 100;
    this.handshakes = new TokenBucket(config.HANDSHAKE_RATE, atOnce);
  }

  /** Logs what a peer did: some lines per second, of bounded length; `leftOut` counts the others. */
  log(level: Level, event: string, fields: Record<string, unknown> = {}): void {
    if (!this.#lines.take()) {
      this.#leftOut += 1;
      return;
    }
    const line: Record<string, unknown> = { address: this.address };
    for (const [name, value] of Object.entries(fields)) {
      line[name] = typeof value === 'string' ? value.slice(0, MAX_LOGGED) : value;
    }
    if (this.#leftOut > 0) line['leftOut'] = this.#leftOut;
    this.#leftOut = 0;
    log(level, event, line);
  }

  /** Whether it has nothing and owes nothing, so that it may be forgotten. */
  get isIdle(): boolean {
    if (this.#leftOut > 0) this.log('info', 'left-out');
    const used = this.tcp + this.open + this.held + this.#leftOut;
    // #if rooms
    if (this.rooms > 0) return false;
    // #endif
    // #if pubsub
    if (this.subscriptions + this.streams > 0) return false;
    // #endif
    return used === 0 && [this.frames, this.handshakes, this.#lines].every(({ isFull }) => isFull);
  }
}

/** The shares of all addresses, and what they use together. */
export class Shares {
  readonly #config: Config;
  readonly #byAddress = new Map<string, Share>();
  /** Connections past their handshake. */
  open = 0;
  /** Bytes of unfinished, inflated and waiting messages. */
  held = 0;
  /** Called when they hold more: what is only kept gives way. */
  onHeld: () => void = () => undefined;

  constructor(config: Config) {
    this.#config = config;
  }

  /** The share of an address in any form. */
  of(address: string | undefined): Share {
    const key = addressKey(address);
    let share = this.#byAddress.get(key);
    if (share === undefined) {
      share = new Share(key, this.#config);
      this.#byAddress.set(key, share);
    }
    return share;
  }

  get isFull(): boolean {
    return this.open >= this.#config.MAX_CONNECTIONS;
  }

  isFullFor(share: Share): boolean {
    return share.open >= this.#config.MAX_CONNECTIONS_PER_IP;
  }

  /** Whether one more TCP connection is too many for its address. */
  isCrowded(share: Share): boolean {
    return share.tcp >= this.#config.MAX_CONNECTIONS_PER_IP + SPARE_PER_ADDRESS;
  }

  /** Bytes that a connection of `share` may hold besides; one address gets half of all. */
  spaceFor(share: Share): number {
    const limit = this.#config.MEMORY_BUDGET;
    return Math.min(limit / 2 - share.held, limit - this.held);
  }

  hold(share: Share, bytes: number): void {
    share.held += bytes;
    this.held += bytes;
    if (bytes > 0) this.onHeld();
  }

  /** Call once a second: forgets who has left. */
  sweep(): void {
    for (const [address, share] of this.#byAddress) {
      if (share.isIdle) this.#byAddress.delete(address);
    }
  }
}

/**
 * One form for all that count as one address: IPv4, also when mapped (RFC 4291 section 2.5.5.2), and
 * the first 64 bits of IPv6. Ports and zones are left out; what is no address is 'unknown', as a
 * client could make up any number of others.
 */
export function addressKey(text = ''): string {
  const bare = text
    .trim()
    .replace(/^"(.*)"$/, '$1')
    .replace(/^\[(.*)\](?::\d{1,5})?$/, '$1')
    .replace(/^([\d.]+):\d{1,5}$/, '$1')
    .replace(/^([\da-f:.]*:[\da-f:.]*)%[\w.~-]+$/i, '$1');
  if (isIPv4(bare)) return bare;
  if (!isIPv6(bare) || bare.includes('%')) return 'unknown';
  const sides = new URL(`http://[${bare}]`).hostname.slice(1, -1).split('::');
  const [left = [], right = []] = sides.map((side) => (side === '' ? [] : side.split(':')));
  const zeros = Array<string>(8 - left.length - right.length).fill('0');
  const groups = [...left, ...zeros, ...right];
  if (/^(?:0:){5}ffff:/.test(groups.join(':'))) {
    return groups
      .slice(6)
      .map((group) => Number.parseInt(group, 16))
      .flatMap((number) => [number >> 8, number & 255])
      .join('.');
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}
