import { isIPv6 } from 'node:net';
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
  /** Rooms with members that it has opened. */
  rooms = 0;
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

  constructor(config: Config) {
    this.#config = config;
  }

  /** The share of an address in any form. */
  of(address: string | undefined): Share {
    const canonical = canonicalAddress(address);
    let share = this.#byAddress.get(canonical);
    if (share === undefined) {
      share = new Share(canonical, this.#config);
      this.#byAddress.set(canonical, share);
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
  }

  /** Call once a second: forgets who has left. */
  sweep(): void {
    for (const [address, share] of this.#byAddress) {
      if (share.isIdle) this.#byAddress.delete(address);
    }
  }
}

/** One form for all of an address: IPv4 also when mapped (RFC 4291 section 2.5.5), IPv6 by /64. */
export function canonicalAddress(text = 'unknown'): string {
  const bare = text
    .replace(/^"(.*)"$/, '$1')
    .replace(/^\[(.*)\](?::\d+)?$/, '$1')
    .replace(/^(\d+(?:\.\d+){3}):\d+$/, '$1')
    .replace(/%.*$/, '');
  if (!isIPv6(bare)) return bare.toLowerCase().slice(0, 64);
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
