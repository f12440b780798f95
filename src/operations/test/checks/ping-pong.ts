import { CloseCode } from '../../../protocol/index.ts';
import { CheckFailure, pass, warn } from '../check.ts';
import type { Check, CheckContext } from '../check.ts';
import { describeClose, expectEvent } from '../expect.ts';

const PAYLOADS = [Buffer.alloc(0), Buffer.from('wsk ping'), Buffer.alloc(125, 0xfe)];

/** 5.5.3: a pong "must have identical 'Application data' as found in the … Ping frame". */
export const pingPong: Check = {
  id: 'ping-pong',
  rfc: '6455#5.5.3',
  title: 'ping answered by a pong with its payload',
  async run(context) {
    try {
      return pass(await pingsAnswered(context));
    } catch (error) {
      const unasked = error instanceof CheckFailure ? await unaskedClose(context) : undefined;
      if (unasked === undefined) throw error;
      return warn(`${unasked} before anything was sent: it may want a login or a first message`);
    }
  },
};

async function pingsAnswered({ session, dial, leftMs }: CheckContext): Promise<string> {
  await using channel = await dial();
  // Until a ping is answered, no other check waits for a pong.
  session.answersPings = false;
  for (const payload of PAYLOADS) {
    void channel.sendPing(payload);
    await expectEvent(channel, {
      type: 'pong',
      what: `a pong with the ${payload.length} bytes of the ping`,
      timeoutMs: leftMs(),
      match: ({ data }) => data.equals(payload),
    });
  }
  session.answersPings = true;
  return `${PAYLOADS.length} pings of 0 to 125 bytes answered`;
}

/** Time of a server that wants no client like this one to say so. */
const UNASKED_MS = 300;

/** How the server closes of its own accord, as no MUST forbids; undefined if it does not. */
async function unaskedClose({ dial, leftMs }: CheckContext): Promise<string | undefined> {
  await using channel = await dial();
  const deadline = performance.now() + Math.min(UNASKED_MS, leftMs());
  for (;;) {
    const event = await channel.next(Math.max(0, deadline - performance.now()));
    if (event === undefined || event.type === 'violation') return undefined;
    if (event.type !== 'close') continue;
    return event.code === CloseCode.abnormal ? undefined : describeClose(event);
  }
}
