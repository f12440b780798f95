import { randomBytes } from 'node:crypto';
import { CloseCode, Opcode, encodeFrame } from '../../../protocol/index.ts';
import type { Channel } from '../../../transport/index.ts';
import { CheckFailure, fail, pass } from '../check.ts';
import type { Check, Outcome, Turn } from '../check.ts';
import { expectAlive } from '../exchange.ts';
import { describeClose, expectEvent } from '../expect.ts';
import { findLimit } from '../find-limit.ts';
import { reactionOf, silentReactionOf } from '../reaction.ts';
import type { Reaction } from '../reaction.ts';
import { isLargeMessage, largeMessage, take } from '../large-message.ts';

/** How many time-outs a message as large as the limit may take. */
const LARGE_TIMEOUTS = 6;

/** How long the server has to refuse an announced length before the whole message is sent. */
const ANNOUNCED_MS = 2000;

/** One message of a byte less than the limit, streamed: it never lies in memory as a whole here. */
export const messageNearLimit: Check = {
  id: 'message-near-limit',
  rfc: '6455#10.4',
  title: 'message just below the limit',
  timeouts: LARGE_TIMEOUTS,
  async run(turn) {
    const length = Math.max(1, turn.session.limitBytes - 1);
    await using channel = await turn.dial();
    const written = channel.writeRaw(inTime(turn, largeMessage(length)), turn.leftMs());
    if (!turn.session.echo.echoes) {
      await written;
      const seen = await expectAlive(turn, channel);
      return pass(`${length} bytes: ${seen}`);
    }
    const echoed = await expectEcho(turn, channel, length);
    return echoed ?? pass(`${length} bytes came back (${turn.session.limitSource})`);
  },
};

/** Undefined when the message came back; a failure that names the server's own limit otherwise. */
async function expectEcho(
  turn: Turn,
  channel: Channel,
  length: number,
): Promise<Outcome | undefined> {
  try {
    await expectEvent(channel, {
      type: 'message',
      what: `its echo of ${length} bytes`,
      timeoutMs: turn.leftMs(),
      match: (event) => isLargeMessage(event.data, length),
      onOther: (event) => {
        if (turn.session.echo.chatty) return;
        throw new CheckFailure(
          `the server answered ${event.data.length} bytes, expected the same ${length} back`,
        );
      },
    });
    return undefined;
  } catch (error) {
    if (channel.connection.closeReceived?.code !== CloseCode.messageTooBig) throw error;
    const limit = await findLimit(turn, length);
    return fail(
      `${(error as Error).message} (${turn.session.limitSource}); ` +
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
  async run(turn) {
    const length = turn.session.limitBytes + 1;
    await using channel = await turn.dial();
    const reaction = await reactionTo(turn, channel, largeMessage(length));
    return judgeRefusal(turn, reaction, `a message of ${length} bytes`);
  },
};

/** The limit holds for the message, so that fragments do not get around it. */
export const overLimitFragmented: Check = {
  id: 'over-limit-fragmented',
  rfc: '6455#10.4',
  title: 'fragments over the limit refused with 1009',
  timeouts: LARGE_TIMEOUTS,
  async run(turn) {
    const length = turn.session.limitBytes;
    await using channel = await turn.dial();
    const first = encodeFrame({
      opcode: Opcode.text,
      fin: false,
      payload: Buffer.from('.'),
      maskingKey: randomBytes(4),
    });
    void channel.writeRaw(first);
    const reaction = await reactionTo(turn, channel, largeMessage(length, Opcode.continuation));
    return judgeRefusal(turn, reaction, `fragments of 1 and ${length} bytes`);
  },
};

/** Sends the start of a message, and the rest only to a server that did not refuse it by then. */
async function reactionTo(
  turn: Turn,
  channel: Channel,
  pieces: Generator<Buffer>,
): Promise<Reaction> {
  void channel.writeRaw(take(pieces, 2));
  const reaction = await silentReactionOf(channel, Math.min(ANNOUNCED_MS, turn.leftMs()));
  if (reaction !== 'stayed') return reaction;
  await channel.writeRaw(inTime(turn, pieces), turn.leftMs());
  return reactionOf(channel, turn.leftMs());
}

/** Ends a stream that a slow reader would stretch beyond the time of the check. */
function* inTime(turn: Turn, pieces: Iterable<Buffer>): Generator<Buffer> {
  for (const piece of pieces) {
    if (turn.leftMs() <= 0) return;
    yield piece;
  }
}

function judgeRefusal({ session }: Turn, reaction: Reaction, what: string): Outcome {
  const expected = `expected a close with ${CloseCode.messageTooBig} (${session.limitSource})`;
  if (reaction === 'stayed') return fail(`the server took ${what}, ${expected}`);
  if (reaction === 'dropped') {
    return fail(
      `the server dropped the connection without a close frame upon ${what}, ${expected}`,
    );
  }
  if (reaction.code === CloseCode.messageTooBig) return pass(`${what} refused with 1009`);
  const seen = describeClose({ type: 'close', ...reaction, wasClean: true });
  return fail(`${seen} upon ${what}, ${expected}`);
}
