import { UsageError } from '../../../core/errors.ts';
import type { FanoutPlan } from '../../../load/plan.ts';
import type { BenchmarkInput } from '../schema.ts';

/** Stands for the digits by which a delivery is known. */
const ID = '{{id}}';
const ID_DIGITS = 16;

/** The longest text our chat servers take. */
const MAX_CHAT_TEXT = 4096;

const ROOM = 'benchmark';

/**
 * Who publishes and what, with the messages of our chat servers as the default.
 *
 * `rooms` says whether the server has them; one without sends each message to everybody.
 * Throws `UsageError` WSK_ERR_INVALID_INPUT.
 */
export function fanoutOf(input: BenchmarkInput, { rooms }: { rooms: boolean }): FanoutPlan {
  const { publishers = 1, connections, toSelf } = input;
  if (publishers > connections) {
    throw refusal(
      `--publishers is ${publishers}, expected at most --connections, which is ${connections}`,
    );
  }
  if (connections === 1 && !toSelf) {
    throw refusal('--connections is 1, expected a receiver beside the publisher');
  }
  return {
    publishers,
    join: input.join ?? (rooms ? [JSON.stringify({ type: 'join', room: ROOM })] : []),
    publish: publishOf(input, rooms),
    toSelf,
  };
}

function publishOf({ publish, size }: BenchmarkInput, rooms: boolean): string {
  if (publish === undefined) {
    const text = ID + 'x'.repeat(paddingOf(size));
    return JSON.stringify({ type: 'message', ...(rooms && { room: ROOM }), text });
  }
  if (size !== undefined) throw refusal('--publish excludes --size', 'the text is sent as it is');
  const places = publish.split(ID).length - 1;
  if (places === 1) return publish;
  throw refusal(
    `--publish is ${JSON.stringify(publish)}, expected ${ID} in it once`,
    `as in --publish '{"text":"${ID}"}': digits stand there, by which deliveries are matched`,
  );
}

/** Characters after the digits, so that the text is as long as `--size` says. */
function paddingOf(size: string | undefined): number {
  if (size === undefined) return 0;
  const bytes = /^\d+$/.test(size) ? Number(size) : NaN;
  if (bytes >= ID_DIGITS && bytes <= MAX_CHAT_TEXT) return bytes - ID_DIGITS;
  throw refusal(
    `--size is ${JSON.stringify(size)}, expected ${ID_DIGITS} to ${MAX_CHAT_TEXT} bytes in the mode fanout`,
    'with --publish, any text can be sent',
  );
}

function refusal(message: string, hint?: string): UsageError {
  return new UsageError('WSK_ERR_INVALID_INPUT', message, hint === undefined ? {} : { hint });
}
