import { randomBytes } from 'node:crypto';
import { CloseCode, encodeFrame } from '../../../protocol/index.ts';
import { fail, pass, skip } from '../check.ts';
import type { Check } from '../check.ts';
import { describeClose, expectEvent } from '../expect.ts';
import { reactionOf } from '../reaction.ts';

/** 5.5.1: a close frame is answered by one; 7.1.1: the server then closes TCP first. */
export const closeByClient: Check = {
  id: 'close-by-client',
  rfc: '6455#5.5.1',
  title: 'closing handshake begun by the client',
  async run({ dial, leftMs }) {
    await using channel = await dial();
    void channel.sendClose(CloseCode.normal, 'done');
    const close = await expectEvent(channel, {
      type: 'close',
      what: 'a close frame in answer',
      timeoutMs: leftMs(),
    });
    // 5.5.1: the answer "typically echos the status code"; an empty one says nothing wrong.
    const sensible: readonly number[] = [CloseCode.normal, CloseCode.noStatus];
    if (!sensible.includes(close.code)) {
      return fail(`${describeClose(close)} in answer to 1000, expected 1000`);
    }
    if (!(await channel.wire.closed(leftMs()))) {
      return fail(
        `answered with ${close.code}, but the server left TCP open, expected it to close first`,
      );
    }
    return pass(`answered with ${close.code}, and the server closed TCP`);
  },
};

/** 7.1.1 for the other direction: after the client's answer the server closes TCP. */
export const closeByServer: Check = {
  id: 'close-by-server',
  rfc: '6455#7.1.1',
  title: 'closing handshake begun by the server',
  async run({ dial, leftMs }) {
    await using channel = await dial();
    // A reserved opcode is what every server has to close for; the check of that name judges that.
    void channel.writeRaw(encodeFrame({ opcode: 3, maskingKey: randomBytes(4) }));
    const reaction = await reactionOf(channel, leftMs() / 2);
    if (reaction === 'dropped') return skip('the server drops TCP without a close frame');
    if (reaction === 'stayed') return skip('the server does not close, even for a reserved opcode');
    // The connection has answered with the same code by now.
    if (!(await channel.wire.closed(leftMs()))) {
      return fail(`closed with ${reaction.code}, but left TCP open after the client's answer`);
    }
    return pass(`closed with ${reaction.code}, and closed TCP after the client's answer`);
  },
};
