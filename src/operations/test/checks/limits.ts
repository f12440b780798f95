import { randomBytes } from 'node:crypto';
import { CloseCode, Opcode, encodeFrame } from '../../../protocol/index.ts';
import type { Channel } from '../../../transport/index.ts';
import { fail, info, pass, skip, warn } from '../check.ts';
import type { Check, Outcome, CheckContext } from '../check.ts';
import { expectAlive, expectEcho } from '../exchange.ts';
import { describeClose, expectEvent } from '../expect.ts';
import { SEARCH_BYTES, searchLimit } from '../find-limit.ts';
import type { FoundLimit } from '../find-limit.ts';
import { LimitProbe, largestInFrames } from '../limit-probe.ts';
import type { Form } from '../limit-probe.ts';
import { refusalOutcome, reactionOf, silentReactionOf } from '../reaction.ts';
import type { Reaction, Refusal } from '../reaction.ts';
import { isLargeMessage, largeMessage, take } from '../large-message.ts';
import type { StatedLimit } from '../session.ts';

/** Timeouts that a message as large as the limit may take. */
const LARGE_TIMEOUTS = 6;

/** Timeouts for a search: its messages are few and each takes as long as an echo. */
const SEARCH_TIMEOUTS = 2;

/** Time for the server to refuse an announced length before a message this large is sent. */
const ANNOUNCED_MS = 500;
const ANNOUNCED_BYTES = 1024 * 1024;

/**
 * A message of one byte less than the stated limit, streamed so that it is never in memory as a
 * whole. A limit that nobody stated is found out: no RFC asks for one.
 */
export const messageNearLimit: Check = {
  id: 'message-near-limit',
  rfc: '6455#10.4',
  title: 'message just below the limit',
  timeouts: LARGE_TIMEOUTS,
  async run(context) {
    const { limit, echo } = context.session;
    if (limit === undefined) return findOut(context);
    const length = Math.max(1, limit.bytes - 1);
    await using channel = await context.dial();
    const written = channel.writeRaw(inTime(context, largeMessage(length)), context.leftMs());
    if (!echo.echoes) {
      await written;
      const seen = `${length} bytes: ${await expectAlive(context, channel)}`;
      const isRefused = channel.connection.closeReceived?.code === CloseCode.messageTooBig;
      return isRefused ? fail(`${seen}, but not below the ${limit.source}`) : pass(seen);
    }
    const failed = await failedEcho(context, channel, { length, source: limit.source });
    return failed ?? pass(`${length} bytes came back (${limit.source})`);
  },
};

/** Undefined when the message came back; otherwise a failure that names the server's limit. */
async function failedEcho(
  context: CheckContext,
  channel: Channel,
  { length, source }: { readonly length: number; readonly source: string },
): Promise<Outcome | undefined> {
  try {
    await expectEcho(context, channel, {
      bytes: length,
      isEcho: ({ data }) => isLargeMessage(data, length),
    });
    return undefined;
  } catch (error) {
    if (channel.connection.closeReceived?.code !== CloseCode.messageTooBig) throw error;
    const found = await search(context, 'whole', { from: 0, to: length });
    return fail(
      `${(error as Error).message} (${source}); the server refuses more than ${found.taken} bytes: ` +
        `--max-payload ${found.taken} checks against that`,
    );
  }
}

async function findOut(context: CheckContext): Promise<Outcome> {
  const { echo, answersPings } = context.session;
  if (!echo.echoes && !answersPings) {
    return skip('the server neither echoes nor answers pings, so that its limit cannot be found');
  }
  const found = await search(context, 'whole', { from: 0, to: SEARCH_BYTES });
  const { taken, refused } = found;
  if (refused?.answer === 'silent') await settled(context);
  if (refused === undefined) {
    context.session.foundLimit = found;
    return info(`no limit up to ${taken} bytes, and no RFC asks for one; --max-payload states one`);
  }
  const how = describeRefusal(refused);
  if (taken === 0) return warn(`not even a message of ${refused.bytes} bytes was taken: ${how}`);
  if (refused.answer === 'silent') return warn(`${taken} bytes are taken, but ${how}`);
  context.session.foundLimit = found;
  const exact = refused.bytes === taken + 1;
  const limit = exact ? `${taken} bytes` : `between ${taken} and ${refused.bytes - 1} bytes`;
  return pass(`the limit is ${limit}: ${how}`);
}

/** Lets a server finish what it could not answer in time: the next checks are about something else. */
async function settled(context: CheckContext): Promise<void> {
  await using channel = await context.dial({ timeoutMs: Math.max(1, context.leftMs()) });
  if (!context.session.answersPings) return;
  const ping = randomBytes(8);
  void channel.sendPing(ping);
  await expectEvent(channel, {
    type: 'pong',
    what: 'a pong while nothing else is asked for',
    timeoutMs: context.leftMs(),
    match: ({ data }) => data.equals(ping),
  });
}

function search(
  context: CheckContext,
  form: Form,
  range: { readonly from: number; readonly to: number },
): Promise<FoundLimit> {
  const endsAt = performance.now() + context.session.timeoutMs * SEARCH_TIMEOUTS;
  return (async () => {
    await using probe = new LimitProbe(context, form);
    return await searchLimit({
      ...range,
      ask: probe.ask,
      goesOn: () => performance.now() < endsAt && context.leftMs() > 0,
    });
  })();
}

function describeRefusal({ bytes, answer }: NonNullable<FoundLimit['refused']>): string {
  if (answer === 'silent') return `${bytes} bytes were neither refused nor answered in time`;
  if (answer === 'dropped') return `the server dropped the connection over ${bytes} bytes`;
  if (answer.code === CloseCode.messageTooBig) return `${bytes} bytes were refused with 1009`;
  return `${describeClose({ type: 'close', ...answer, wasClean: true })} over ${bytes} bytes`;
}

/** 7.4.1: 1009 when a message "is too big for it to process"; announced in the length of a frame. */
export const overLimit: Check = {
  id: 'over-limit',
  rfc: '6455#7.4.1',
  title: 'message over the limit refused with 1009',
  timeouts: LARGE_TIMEOUTS,
  async run(context) {
    const { limit, foundLimit } = context.session;
    if (limit === undefined) return foundRefusal(foundLimit);
    const length = limit.bytes + 1;
    await using channel = await context.dial();
    const reaction = await reactionTo(context, channel, { length });
    return refusalOutcome(reaction, refusal(`a message of ${length} bytes`, limit));
  },
};

/** What the search has seen of a refusal. */
function foundRefusal(found: FoundLimit | undefined): Outcome {
  const refused = found?.refused;
  if (refused === undefined || refused.answer === 'silent') return skip(NO_LIMIT);
  const what = `a message of ${refused.bytes} bytes`;
  const closeCode = CloseCode.messageTooBig;
  return refusalOutcome(refused.answer, { what, closeCode, wantsCode: true });
}

const NO_LIMIT = 'no limit was stated or found';

/** The limit applies to the whole message, so fragments must not circumvent it. */
export const overLimitFragmented: Check = {
  id: 'over-limit-fragmented',
  rfc: '6455#10.4',
  title: 'fragments over the limit refused with 1009',
  timeouts: LARGE_TIMEOUTS,
  async run(context) {
    const { limit, foundLimit } = context.session;
    if (limit === undefined) return findOutFragmented(context, foundLimit);
    const length = limit.bytes;
    await using channel = await context.dial();
    const first = encodeFrame({
      opcode: Opcode.text,
      fin: false,
      payload: Buffer.from('.'),
      maskingKey: randomBytes(4),
    });
    void channel.writeRaw(first);
    const rest = { length, opcode: Opcode.continuation };
    const reaction = await reactionTo(context, channel, rest);
    return refusalOutcome(reaction, refusal(`fragments of 1 and ${length} bytes`, limit));
  },
};

/** Whether the limit that was found is one of messages, or of frames alone. */
async function findOutFragmented(
  context: CheckContext,
  found: FoundLimit | undefined,
): Promise<Outcome> {
  if (found?.refused === undefined) return skip(NO_LIMIT);
  const to = found.refused.bytes;
  await using probe = new LimitProbe(context, { frameBytes: found.taken });
  const answer = await probe.ask(to);
  if (answer === 'silent') {
    return warn(`fragments of ${to} bytes in all were neither refused nor answered in time`);
  }
  if (answer !== 'taken') {
    const closeCode = CloseCode.messageTooBig;
    const what = `fragments of ${to} bytes in all`;
    return refusalOutcome(answer, { what, closeCode, wantsCode: true });
  }
  const largest = largestInFrames(found.taken);
  const form = { frameBytes: found.taken };
  const { taken, refused } = await search(context, form, { from: to, to: largest });
  const messages =
    refused === undefined
      ? `messages of up to ${taken} bytes are taken`
      : `messages of ${taken} bytes are taken, and ${describeRefusal(refused)}`;
  return info(`the limit of ${found.taken} bytes is one of frames: in fragments, ${messages}`);
}

function refusal(what: string, { source }: StatedLimit): Refusal {
  return { what, closeCode: CloseCode.messageTooBig, wantsCode: true, source };
}

/** Sends the start of a large frame, and the rest only if the server has not refused it by then. */
async function reactionTo(
  context: CheckContext,
  channel: Channel,
  { length, opcode }: { readonly length: number; readonly opcode?: number },
): Promise<Reaction> {
  const pieces = largeMessage(length, opcode);
  if (length > ANNOUNCED_BYTES) {
    void channel.writeRaw(take(pieces, 2));
    const reaction = await silentReactionOf(channel, Math.min(ANNOUNCED_MS, context.leftMs()));
    if (reaction !== 'stayed') return reaction;
  }
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
