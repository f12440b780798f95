import { invalidInput } from '../../../core/errors.ts';
import type { FanoutPlan } from '../../../load/plan.ts';
import type { BenchmarkInput } from '../schema.ts';

/** Place of the digits that identify a delivery. */
const ID = '{{id}}';
const ID_DIGITS = 16;

/** The longest text of a generated chat server. */
const MAX_CHAT_TEXT = 4096;

/** The room, or the topic. */
const PLACE = 'benchmark';

/** A generated server. */
interface Kind {
  readonly type: string;
  /** A chat server without rooms sends each message to everybody. */
  readonly rooms: boolean;
}

/**
 * Who publishes and what, by default with the messages of a generated server of `kind`.
 *
 * Throws `UsageError` WSK_ERR_INVALID_INPUT.
 */
export function fanoutOf(input: BenchmarkInput, kind: Kind): FanoutPlan {
  const { publishers = 1, connections, toSelf } = input;
  if (publishers > connections) {
    throw invalidInput(
      `--publishers is ${publishers}, expected at most --connections, which is ${connections}`,
    );
  }
  if (connections === 1 && !toSelf) {
    throw invalidInput('--connections is 1, expected at least 2: a publisher and a receiver');
  }
  return {
    publishers,
    join: input.join ?? joinOf(kind).map((message) => JSON.stringify(message)),
    publish: publishOf(input, kind),
    toSelf,
  };
}

function joinOf({ type, rooms }: Kind): object[] {
  if (type === 'pubsub') return [{ type: 'subscribe', topic: PLACE }];
  return rooms ? [{ type: 'join', room: PLACE }] : [];
}

function publishOf({ publish, size }: BenchmarkInput, { type, rooms }: Kind): string {
  if (publish === undefined) {
    const text = ID + 'x'.repeat(paddingOf(size));
    if (type === 'pubsub') return JSON.stringify({ type: 'publish', topic: PLACE, data: text });
    return JSON.stringify({ type: 'message', ...(rooms && { room: PLACE }), text });
  }
  if (size !== undefined)
    throw invalidInput('--publish excludes --size', '--publish is the whole text');
  const places = publish.split(ID).length - 1;
  if (places === 1) return publish;
  throw invalidInput(
    `--publish is ${JSON.stringify(publish)}, expected it to contain ${ID} once`,
    `as in --publish '{"text":"${ID}"}': ${ID} becomes the digits that identify the message`,
  );
}

/** Characters after the digits, so that the text is as long as `--size` says. */
function paddingOf(size: string | undefined): number {
  if (size === undefined) return 0;
  const bytes = /^\d+$/.test(size) ? Number(size) : NaN;
  if (bytes >= ID_DIGITS && bytes <= MAX_CHAT_TEXT) return bytes - ID_DIGITS;
  throw invalidInput(
    `--size is ${JSON.stringify(size)}, expected ${ID_DIGITS} to ${MAX_CHAT_TEXT} bytes in mode fanout`,
    '--publish sends a text of any size',
  );
}
