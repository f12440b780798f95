import { randomBytes } from 'node:crypto';
import {
  CloseCode,
  FrameDecoder,
  Opcode,
  encodeFrame,
  isControlOpcode,
} from '../../../protocol/index.ts';
import { fail, pass, skip, warn } from '../check.ts';
import type { Check } from '../check.ts';
import { describeClose, expectEvent } from '../expect.ts';
import { reactionOf } from '../reaction.ts';

/** 5.5.1: the server answers a close frame with one; 7.1.1: it then closes TCP first. */
export const closeByClient: Check = {
  id: 'close-by-client',
  rfc: '6455#5.5.1',
  title: 'closing handshake begun by the client',
  async run({ dial, leftMs }) {
    const order = new CloseIsLast();
    const observe = (bytes: Buffer): void => {
      order.receive(bytes);
    };
    await using channel = await dial({ observe });
    void channel.sendClose(CloseCode.normal, 'done');
    const close = await expectEvent(channel, {
      type: 'close',
      what: 'a close frame in answer',
      timeoutMs: leftMs(),
    });
    if (close.code === CloseCode.abnormal) {
      return fail(`${describeClose(close)}, expected one in answer to 1000`);
    }
    // 5.5.1: the answer "typically echos the status code"; it may be empty.
    const sensible: readonly number[] = [CloseCode.normal, CloseCode.noStatus];
    if (!(await channel.wire.closed(leftMs()))) {
      return fail(
        `answered with ${close.code}, but the server left TCP open, expected it to close first`,
      );
    }
    // What came with the end of TCP may not have been read yet.
    await channel.next(leftMs());
    if (order.breach !== undefined) {
      return fail(`the server sent ${order.breach} after its close frame, which 5.5.1 forbids`);
    }
    if (!sensible.includes(close.code)) {
      return warn(`${describeClose(close)} in answer to 1000, expected 1000`);
    }
    return pass(`answered with ${close.code}, and the server closed TCP`);
  },
};

/** Looks at the frames of a peer: "any more data frames after sending a Close frame" (5.5.1). */
class CloseIsLast {
  /** The first frame behind the close frame. */
  breach: string | undefined;
  readonly #decoder = new FrameDecoder();
  #closed = false;

  receive(bytes: Buffer): void {
    if (this.breach !== undefined) return;
    this.#decoder.receive(bytes);
    for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) {
      const isClose = frame.opcode === Opcode.close;
      if (this.#closed && isClose) this.breach ??= 'a second close frame';
      if (this.#closed && !isControlOpcode(frame.opcode)) this.breach ??= 'a data frame';
      this.#closed ||= isClose;
    }
  }
}

/** 7.1.1 for the other direction: after the client's answer the server closes TCP. */
export const closeByServer: Check = {
  id: 'close-by-server',
  rfc: '6455#7.1.1',
  title: 'closing handshake begun by the server',
  async run({ dial, leftMs }) {
    await using channel = await dial();
    // Every server has to close after a reserved opcode; the check of that name verifies it.
    void channel.writeRaw(encodeFrame({ opcode: 3, maskingKey: randomBytes(4) }));
    const reaction = await reactionOf(channel, leftMs() / 2);
    if (reaction === 'dropped') return skip('the server drops TCP without a close frame');
    if (reaction === 'stayed') return skip('the server does not close, even for a reserved opcode');
    // By now this side has answered with the same code.
    if (!(await channel.wire.closed(leftMs()))) {
      return fail(`closed with ${reaction.code}, but left TCP open after the client's answer`);
    }
    return pass(`closed with ${reaction.code}, and closed TCP after the client's answer`);
  },
};

/** 7.4.1: 1001 for "a server going down"; for a project only, because `test` started it. */
export const gracefulShutdown: Check = {
  id: 'graceful-shutdown',
  rfc: '6455#7.4.1',
  title: 'shutdown closes with 1001',
  timeouts: 2,
  async run({ session, dial, leftMs }) {
    const { project } = session;
    if (project === undefined) return skip('only a --project can be stopped');
    await using channel = await dial();
    const stopped = project.stop(session.timeoutMs);
    const close = await expectEvent(channel, {
      type: 'close',
      what: 'a close with 1001 after SIGTERM',
      timeoutMs: leftMs(),
    });
    await channel.close(CloseCode.normal, leftMs());
    const exitCode = await stopped;
    if (close.code !== CloseCode.goingAway) return fail(`${describeClose(close)}, expected 1001`);
    return exitCode === 0
      ? pass('closed with 1001 after SIGTERM, exit code 0')
      : fail(`closed with 1001 after SIGTERM, but ended with exit code ${exitCode}, expected 0`);
  },
};
