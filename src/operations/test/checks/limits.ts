import { randomBytes } from 'node:crypto';
import { CloseCode, Opcode, encodeFrame } from '../../../protocol/index.ts';
import type { Channel } from '../../../transport/index.ts';
import { fail, pass } from '../check.ts';
import type { Check, Outcome, CheckContext } from '../check.ts';
import { expectAlive, expectEcho } from '../exchange.ts';
import { refusalOutcome, reactionOf, silentReactionOf } from '../reaction.ts';
import type { Reaction, Refusal } from '../reaction.ts';
import { isLargeMessage, largeMessage, take } from '../large-message.ts';

/** Timeouts that a message as large as the limit may take. */
const LARGE_TIMEOUTS = 6;

/** Time for the server to refuse an announced length before the whole message is sent. */
const ANNOUNCED_MS = 2000;

/** A message of one byte less than the limit, streamed so that it is never in memory as a whole. */
export const messageNearLimit: Check = {
  id: 'message-near-limit',
  rfc: '6455#10.4',
  title: 'message just below the limit',
  timeouts: LARGE_TIMEOUTS,
  async run(context) {
    const length = Math.max(1, context.session.limitBytes - 1);
    await using channel = await context.dial();
    const written = channel.writeRaw(inTime(context, largeMessage(length)), context.leftMs());
    if (!context.session.echo.echoes) {
      await written;
      const seen = await expectAlive(context, channel);
      return pass(`${length} bytes: ${seen}`);
    }
    const failed = await failedEcho(context, channel, length);
    return failed ?? pass(`${length} bytes came back (${context.session.limitSource})`);
  },
};

/** Undefined when the message came back; otherwise a failure that names the server's limit. */
async function failedEcho(
  context: CheckContext,
  channel: Channel,
  length: number,
): Promise<Outcome | undefined> {
  try {
    await expectEcho(context, channel, length, ({ data }) => isLargeMessage(data, length));
    return undefined;
  } catch (error) {
    if (channel.connection.closeReceived?.code !== CloseCode.messageTooBig) throw error;
    const limit = await findLimit(context, length);
    return fail(
      `${(error as Error).message} (${context.session.limitSource}); ` +
        `the server refuses more than ${limit} bytes: --max-payload ${limit} checks against that`,
    );
  }
}

/** 7.4.1: 1009 when a message "is too big for it to process"; announced in the length of a frame. */
export const overLimit: Check = {
  id: 'over-limit',
  rfc: '6455#7.4.1',
  title: 'message over the limit refused with 1009',
  timeouts: LARGE_TIMEOUTS,
  async run(context) {
    const length = context.session.limitBytes + 1;
    await using channel = await context.dial();
    const reaction = await reactionTo(context, channel, largeMessage(length));
    return refusalOutcome(reaction, refusal(context, `a message of ${length} bytes`));
  },
};

/** The limit applies to the whole message, so fragments must not circumvent it. */
export const overLimitFragmented: Check = {
  id: 'over-limit-fragmented',
  rfc: '6455#10.4',
  title: 'fragments over the limit refused with 1009',
  timeouts: LARGE_TIMEOUTS,
  async run(context) {
    const length = context.session.limitBytes;
    await using channel = await context.dial();
    const first = encodeFrame({
      opcode: Opcode.text,
      fin: false,
      payload: Buffer.from('.'),
      maskingKey: randomBytes(4),
    });
    void channel.writeRaw(first);
    const reaction = await reactionTo(context, channel, largeMessage(length, Opcode.continuation));
    return refusalOutcome(reaction, refusal(context, `fragments of 1 and ${length} bytes`));
  },
};

function refusal({ session }: CheckContext, what: string): Refusal {
  return { what, closeCode: CloseCode.messageTooBig, source: session.limitSource };
}

/** Sends the start of a message, and the rest only if the server has not refused it by then. */
async function reactionTo(
  context: CheckContext,
  channel: Channel,
  pieces: Generator<Buffer>,
): Promise<Reaction> {
  void channel.writeRaw(take(pieces, 2));
  const reaction = await silentReactionOf(channel, Math.min(ANNOUNCED_MS, context.leftMs()));
  if (reaction !== 'stayed') return reaction;
  await channel.writeRaw(inTime(context, pieces), context.leftMs());
  return reactionOf(channel, context.leftMs());
}

/** Ends the stream when the time of the check is over, as with a slow reader. */
function* inTime(context: CheckContext, pieces: Iterable<Buffer>): Generator<Buffer> {
  for (const piece of pieces) {
    if (context.leftMs() <= 0) return;
    yield piece;
  }
}

/** Wait for the refusal of a length: at least, at most, and as a multiple of the first one's time. */
const MIN_WAIT_MS = 100;
const MAX_WAIT_MS = 1000;
const WAIT_FACTOR = 20;

/**
 * Finds the largest message a server does not refuse by its announced length, below `refused`.
 *
 * Each step of the search announces a length on a new connection and sends 1 KiB of it.
 */
async function findLimit(context: CheckContext, refused: number): Promise<number> {
  const startedAt = performance.now();
  await refuses(context, refused, MAX_WAIT_MS);
  const tookMs = performance.now() - startedAt;
  const waitMs = Math.min(MAX_WAIT_MS, Math.max(MIN_WAIT_MS, WAIT_FACTOR * tookMs));
  let low = 0;
  let high = refused;
  while (high - low > 1 && context.leftMs() > 0) {
    const middle = Math.floor((low + high) / 2);
    if (await refuses(context, middle, waitMs)) high = middle;
    else low = middle;
  }
  return low;
}

async function refuses(context: CheckContext, length: number, waitMs: number): Promise<boolean> {
  await using channel = await context.dial();
  void channel.writeRaw(take(largeMessage(length), 2));
  const reaction = await silentReactionOf(channel, waitMs);
  channel.terminate();
  return typeof reaction === 'object' && reaction.code === CloseCode.messageTooBig;
}
