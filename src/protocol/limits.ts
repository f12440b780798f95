/** Bounds on the memory that a peer can cause to be used. All are finite by default. */
export interface Limits {
  /** Largest message in bytes, after inflation. */
  readonly messageBytes: number;
  /** Largest payload in bytes one frame may announce; a little above `messageBytes` by default. */
  readonly frameBytes: number;
  /**
   * Most frames of one message. Fragments are copied into one buffer and need no memory of their
   * own, so this limit only stops endless empty fragments.
   */
  readonly fragments: number;
  /** Most bytes of unsent pongs; beyond them only the most recent ping is answered. */
  readonly pongBytes: number;
  /** Most bytes of undrained events. */
  readonly queuedBytes: number;
  /** Largest head of a request or response in bytes. */
  readonly headerBytes: number;
  /** Most header fields of a request or response. */
  readonly headerCount: number;
}

const MIB = 1024 * 1024;

/** The largest value of a limit: the size of a Node buffer on every platform. */
const MAX_LIMIT = 0x7fffffff;

export const DEFAULT_LIMITS: Limits = resolveLimits({});

/** Fills in defaults. Throws a RangeError for a limit that is not an integer of 1 to 2^31 - 1. */
export function resolveLimits(limits: Partial<Limits>): Limits {
  const messageBytes = limits.messageBytes ?? 100 * MIB;
  const resolved: Limits = {
    messageBytes,
    frameBytes: limits.frameBytes ?? Math.min(deflatedBound(messageBytes), MAX_LIMIT),
    fragments: limits.fragments ?? 1_000_000,
    pongBytes: limits.pongBytes ?? 64 * 1024,
    queuedBytes: limits.queuedBytes ?? Math.min(2 * messageBytes + 64 * MIB, MAX_LIMIT),
    headerBytes: limits.headerBytes ?? 16 * 1024,
    headerCount: limits.headerCount ?? 100,
  };
  for (const [name, value] of Object.entries(resolved) as [string, number][]) {
    if (!Number.isInteger(value) || value < 1 || value > MAX_LIMIT) {
      throw new RangeError(`limit ${name} is ${value}, expected an integer of 1 to ${MAX_LIMIT}`);
    }
  }
  return resolved;
}

/** Most bytes of a message of `length` bytes on the wire: random data grows by compression. */
export function deflatedBound(length: number): number {
  return length + (length >>> 8) + 1024;
}
