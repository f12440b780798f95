import { Opcode } from '../../../protocol/index.ts';
import { pass, skip } from '../check.ts';
import type { Check } from '../check.ts';
import { exchange } from '../exchange.ts';
import { expectEvent } from '../expect.ts';

const TEXTS = ['Hello, wörld! €𝄞', ''];

/** 5.6: text is UTF-8; one to four bytes a character, and an empty message. */
export const text: Check = {
  id: 'text',
  rfc: '6455#5.6',
  title: 'text messages',
  async run(context) {
    await using channel = await context.dial();
    const seen: string[] = [];
    for (const message of TEXTS) {
      const data = Buffer.from(message);
      const send = (): Promise<boolean> => channel.sendText(data);
      seen.push(await exchange(context, channel, { send, data, opcode: Opcode.text }));
      // A server that does not echo may have refused the first one.
      if (channel.connection.state !== 'open') break;
    }
    return pass(seen.join(', '));
  },
};

/** Every byte value must come back unchanged. */
export const binary: Check = {
  id: 'binary',
  rfc: '6455#5.6',
  title: 'binary messages',
  async run(context) {
    await using channel = await context.dial();
    const data = Buffer.from(Array.from({ length: 256 }, (_, value) => value));
    const send = (): Promise<boolean> => channel.sendBinary(data);
    return pass(await exchange(context, channel, { send, data, opcode: Opcode.binary }));
  },
};

const LONG = 65_536;

/** 5.2: the first length that needs the 64-bit field; 10.4 lets a server have a limit below it. */
export const message64k: Check = {
  id: 'message-64k',
  rfc: '6455#5.2',
  title: 'message of 64 KiB',
  async run(context) {
    const { limit } = context.session;
    if (limit !== undefined && limit.bytes < LONG) {
      return skip(`the server accepts at most ${limit.bytes} bytes`);
    }
    await using channel = await context.dial();
    const data = Buffer.alloc(LONG, '0123456789abcdef');
    const send = (): Promise<boolean> => channel.sendText(data);
    return pass(await exchange(context, channel, { send, data }));
  },
};

/**
 * 5.4: fragments make one message, and control frames "MAY be injected in the middle". The cut is
 * inside a character: 8.1 requires valid UTF-8 of the whole message, not of a fragment.
 */
export const fragmentation: Check = {
  id: 'fragmentation',
  rfc: '6455#5.4',
  title: 'fragmented message with a ping inside',
  async run(context) {
    await using channel = await context.dial();
    const data = Buffer.from('fragments of one mess\u20acage');
    const cut = data.indexOf(0xe2) + 1;
    const between = Buffer.from('between');
    const send = (): Promise<boolean> => {
      void channel.sendText(data.subarray(0, 9), { fin: false });
      void channel.sendPing(between);
      void channel.sendContinuation(data.subarray(9, cut), { fin: false });
      return channel.sendContinuation(data.subarray(cut));
    };
    let answered = false as boolean;
    const onPong = (pong: Buffer): void => {
      answered ||= pong.equals(between);
    };
    const seen = await exchange(context, channel, { send, data, onPong });
    // 5.5.2: "an endpoint MUST send a Pong frame in response", and no later than the next one's.
    if (context.session.answersPings && channel.connection.state === 'open' && !answered) {
      await expectEvent(channel, {
        type: 'pong',
        what: 'a pong in answer to the ping between the fragments',
        timeoutMs: context.leftMs(),
        match: (event) => event.data.equals(between),
      });
    }
    return pass(`3 fragments: ${seen}`);
  },
};
