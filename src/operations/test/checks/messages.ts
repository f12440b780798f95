import { Opcode } from '../../../protocol/index.ts';
import { pass, skip } from '../check.ts';
import type { Check } from '../check.ts';
import { exchange } from '../exchange.ts';

const TEXTS = ['Hello, wörld! €𝄞', ''];

/** 5.6: text is UTF-8; one to four bytes a character, and an empty message. */
export const text: Check = {
  id: 'text',
  rfc: '6455#5.6',
  title: 'text messages',
  async run(turn) {
    await using channel = await turn.dial();
    const seen: string[] = [];
    for (const message of TEXTS) {
      const data = Buffer.from(message);
      const send = (): Promise<boolean> => channel.sendText(data);
      seen.push(await exchange(turn, channel, { send, data, opcode: Opcode.text }));
      // A server that does not echo may have refused the first one in order.
      if (channel.connection.state !== 'open') break;
    }
    return pass(seen.join(', '));
  },
};

/** Every byte value, so that whatever is not transparent shows. */
export const binary: Check = {
  id: 'binary',
  rfc: '6455#5.6',
  title: 'binary messages',
  async run(turn) {
    await using channel = await turn.dial();
    const data = Buffer.from(Array.from({ length: 256 }, (_, value) => value));
    const send = (): Promise<boolean> => channel.sendBinary(data);
    return pass(await exchange(turn, channel, { send, data, opcode: Opcode.binary }));
  },
};

const LONG = 65_536;

/** 5.2: the first length that needs the 64-bit field. */
export const message64k: Check = {
  id: 'message-64k',
  rfc: '6455#5.2',
  title: 'message of 64 KiB',
  async run(turn) {
    if (turn.session.limitBytes < LONG) {
      return skip(`the server takes ${turn.session.limitBytes} bytes at most`);
    }
    await using channel = await turn.dial();
    const data = Buffer.alloc(LONG, '0123456789abcdef');
    const send = (): Promise<boolean> => channel.sendText(data);
    return pass(await exchange(turn, channel, { send, data }));
  },
};
