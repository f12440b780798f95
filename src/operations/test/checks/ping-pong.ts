import { pass } from '../check.ts';
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
      await expectEvent(channel, {
        type: 'pong',
        what: `a pong with the ${payload.length} bytes of the ping`,
        timeoutMs: leftMs(),
        match: ({ data }) => data.equals(payload),
      });
    }
    session.answersPings = true;
    return pass(`${PAYLOADS.length} pings of 0 to 125 bytes answered`);
  },
};
