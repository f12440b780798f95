import type { RunningProject } from '../../target/project/index.ts';
import { dial } from '../../transport/index.ts';
import type { Channel, DialOptions, Handshake, Wire } from '../../transport/index.ts';
import type { Access } from '../../target/access.ts';
import type { Progress } from '../../core/operation.ts';
import type { FoundLimit } from './find-limit.ts';
import type { Manifest } from '../../target/project/index.ts';
import type { EchoDecision } from './echo-decision.ts';
import type { Measurements } from './measurements.ts';
import type { TestInput } from './schema.ts';

/** What all checks of a run share. */
export interface Session {
  readonly input: TestInput;
  readonly timeoutMs: number;
  /** What was stated about the largest message; undefined if nobody did. */
  readonly limit: StatedLimit | undefined;
  /** The limit as the checks have found it out; undefined before, and if they could not. */
  foundLimit: FoundLimit | undefined;
  /** Set for a `--project`. */
  readonly project: RunningProject | undefined;
  /** What a server that does not echo answers. */
  readonly probe: Manifest['contract']['probe'];
  /** The handshake of the first connection, with every offer of the input. */
  readonly opening: Handshake;
  readonly echo: EchoDecision;
  /** Whether a ping was answered; otherwise other checks do not wait for pongs. */
  answersPings: boolean;
  readonly measurements: Measurements;
  readonly emit: (progress: Progress) => void;
  /** Opens another connection with the input's headers and subprotocols. */
  readonly dial: (overrides?: Partial<DialOptions>) => Promise<Channel>;
}

/** The largest message in bytes that a server has to accept, and who says so. */
export interface StatedLimit {
  readonly bytes: number;
  readonly source: string;
}

export interface DialerOptions {
  readonly url: string;
  readonly access: Access;
  readonly subprotocols: readonly string[];
  readonly timeoutMs: number;
  /** The largest echo that is to be expected, in bytes. */
  readonly echoBytes: number;
  readonly signal: AbortSignal;
}

/** Bytes above the largest echo that are received, so that larger ones can be reported. */
const SLACK_BYTES = 1024 * 1024;

/** Opens connections with the same options and counts their bytes. */
export class Dialer {
  readonly #options: DialerOptions;
  readonly #wires: Wire[] = [];

  constructor(options: DialerOptions) {
    this.#options = options;
  }

  readonly dial = async (overrides: Partial<DialOptions> = {}): Promise<Channel> => {
    const { url, access, subprotocols, timeoutMs, echoBytes, signal } = this.#options;
    const channel = await dial(url, {
      ...access,
      protocols: subprotocols,
      timeoutMs,
      signal,
      limits: { messageBytes: Math.min(echoBytes + SLACK_BYTES, 0x7fffffff) },
      ...overrides,
    });
    this.#wires.push(channel.wire);
    return channel;
  };

  /** Bytes over all connections so far, before TLS. */
  bytes(): { sent: number; received: number } {
    return {
      sent: this.#wires.reduce((sum, wire) => sum + wire.bytesSent, 0),
      received: this.#wires.reduce((sum, wire) => sum + wire.bytesReceived, 0),
    };
  }
}
