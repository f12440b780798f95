import { CheckFailure, pass } from '../check.ts';
import type { Check } from '../check.ts';
import { expectEvent } from '../expect.ts';

const PAYLOADS = [Buffer.alloc(0), Buffer.from('wsk ping'), Buffer.alloc(125, 0xfe)];

/** 5.5.3: a pong "must have identical 'Application data' as found in the … Ping frame". */
export const pingPong: Check = {
  id: 'ping-pong',
  rfc: '6455#5.5.3',
  title: 'ping answered by a pong with its payload',
  async run({ session, dial, leftMs }) {
    await using channel = await dial();
    // Until a ping is answered, no other check waits for a pong.
    session.answersPings = false;
    for (const payload of PAYLOADS) {
      void channel.sendPing(payload);
      const pong = await expectEvent(channel, {
        type: 'pong',
        what: `a pong with ${payload.length} bytes`,
        timeoutMs: leftMs(),
      });
      if (!pong.data.equals(payload)) {
        throw new CheckFailure(
          `a pong with ${pong.data.length} bytes, expected the ${payload.length} of the ping`,
        );
      }
    }
    session.answersPings = true;
    return pass(`${PAYLOADS.length} pings of 0 to 125 bytes answered`);
  },
};
