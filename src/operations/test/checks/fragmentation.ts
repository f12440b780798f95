import { pass } from '../check.ts';
import type { Check } from '../check.ts';
import { exchange } from '../exchange.ts';

/**
 * 5.4: fragments make one message, and control frames "MAY be injected in the middle". The cut goes
 * through a character: 8.1 wants UTF-8 of the whole, not of a fragment.
 */
export const fragmentation: Check = {
  id: 'fragmentation',
  rfc: '6455#5.4',
  title: 'fragmented message with a ping inside',
  async run(turn) {
    await using channel = await turn.dial();
    const data = Buffer.from('fragments of one mess\u20acage');
    const cut = data.indexOf(0xe2) + 1;
    const send = (): Promise<boolean> => {
      void channel.sendText(data.subarray(0, 9), { fin: false });
      void channel.sendPing(Buffer.from('between'));
      void channel.sendContinuation(data.subarray(9, cut), { fin: false });
      return channel.sendContinuation(data.subarray(cut));
    };
    return pass(`3 fragments: ${await exchange(turn, channel, { send, data })}`);
  },
};
