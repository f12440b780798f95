import { Opcode, explainCloseCode } from '../../protocol/index.ts';
import type { ConnectionEvent } from '../../protocol/index.ts';
import type { Channel } from '../../transport/index.ts';
import { CheckFailure, CheckRemark } from './check.ts';

type EventOf<T extends ConnectionEvent['type']> = Extract<ConnectionEvent, { type: T }>;

export interface ExpectOptions<T extends ConnectionEvent['type']> {
  readonly type: T;
  /** For the detail of a failure: `the echo`. */
  readonly what: string;
  readonly timeoutMs: number;
  /** Selects events of the type; all if absent. */
  readonly match?: (event: EventOf<T>) => boolean;
  /**
   * Called with each other message, which may be the server's own; throws a CheckFailure to give up.
   */
  readonly onOther?: (event: EventOf<'message'>) => void;
  /** Called with the payload of each pong that is not wanted. */
  readonly onPong?: ((payload: Buffer) => void) | undefined;
  /** Called when nothing came in time; throws to give another verdict than a failure. */
  readonly onSilence?: (seen: string) => void;
  /** Called when the server closes; throws to give another verdict than a failure. */
  readonly onClose?: (event: EventOf<'close'>) => void;
}

/**
 * Takes events until the wanted one; throws a CheckFailure when the server breaks the RFC, closes
 * or stays silent first.
 */
export async function expectEvent<T extends ConnectionEvent['type']>(
  channel: Channel,
  options: ExpectOptions<T>,
): Promise<EventOf<T>> {
  const deadline = performance.now() + options.timeoutMs;
  let other: string | undefined;
  for (;;) {
    const event = await channel.next(Math.max(0, deadline - performance.now()));
    if (event === undefined) {
      const instead = other === undefined ? '' : `; it sent ${other}`;
      const seen = silence(channel, options.what, options.timeoutMs) + instead;
      options.onSilence?.(seen);
      throw new CheckFailure(seen);
    }
    if (isWanted(event, options)) return event;
    if (event.type === 'violation') throw violationEnd(event);
    if (event.type === 'close') {
      options.onClose?.(event);
      throw new CheckFailure(`${describeClose(event)}, expected ${options.what}`);
    }
    // 5.5.3: a pong may be unsolicited, as the heartbeat of one side.
    if (event.type === 'pong') {
      other = `a pong with ${event.data.length} bytes`;
      options.onPong?.(event.data);
    }
    if (event.type === 'message') {
      other = describeMessage(event);
      options.onOther?.(event);
    }
  }
}

function isWanted<T extends ConnectionEvent['type']>(
  event: ConnectionEvent,
  { type, match }: ExpectOptions<T>,
): event is EventOf<T> {
  return event.type === type && (match === undefined || match(event as EventOf<T>));
}

function silence(channel: Channel, what: string, timeoutMs: number): string {
  const { closeReceived } = channel.connection;
  if (closeReceived !== undefined) {
    return `${describeCode(closeReceived.code, closeReceived.reason)}, expected ${what}`;
  }
  return `nothing within ${Math.ceil(timeoutMs)} ms, expected ${what}`;
}

/** `text of 5 bytes starting "what?"`. */
export function describeMessage({ opcode, data }: EventOf<'message'>): string {
  const kind = opcode === Opcode.text ? 'text' : 'binary';
  const start =
    opcode === Opcode.text
      ? JSON.stringify(data.toString('utf8', 0, 40))
      : data.toString('hex', 0, 16);
  return `${kind} of ${data.length} bytes starting ${start}`;
}

/** Ends a check over a violation: a warning where no MUST was broken. */
export function violationEnd(event: EventOf<'violation'>): CheckFailure | CheckRemark {
  const seen = describeViolation(event);
  return isBreach(event) ? new CheckFailure(seen) : new CheckRemark('warn', seen);
}

/** What a row says that could not be judged because of what the server sent. */
export const UNREAD = 'the server sent more than this test reads';

/** 10.4 is about limits of one's own: a peer may send what this test does not read. */
export function isBreach({ violation }: EventOf<'violation'>): boolean {
  return violation.rfc !== '6455#10.4';
}

/** `the server broke RFC 6455#5.1: frame from the server is masked`. */
export function describeViolation(event: EventOf<'violation'>): string {
  const { violation } = event;
  if (!isBreach(event)) {
    return `${UNREAD}: ${violation.message} (${violation.code})`;
  }
  return `the server broke RFC ${violation.rfc}: ${violation.message} (${violation.code})`;
}

/** `the server closed with 1011 (internal error)`, or that it dropped the connection. */
export function describeClose(event: EventOf<'close'>): string {
  if (event.code === 1006) return 'the server dropped the connection without a close frame';
  return describeCode(event.code, event.reason);
}

function describeCode(code: number, reason: string): string {
  const why = reason === '' ? '' : `, reason ${JSON.stringify(reason)}`;
  return `the server closed with ${code} (${explainCloseCode(code)})${why}`;
}
