import { randomBytes } from 'node:crypto';
import { CheckFailure, CheckRemark, pass } from '../check.ts';
import type { Check, CheckContext } from '../check.ts';
import { expectEvent } from '../expect.ts';
import type { Channel } from '../../../transport/index.ts';

/*
 * What y-websocket says to a server, written by hand: the packages of Yjs would be larger than all checks.
 * https://github.com/yjs/y-protocols/blob/master/PROTOCOL.md
 */

/** A number of lib0's encoding: seven bits in each octet, the lowest first. */
function varUint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varUint(Math.floor(value / 128))];
}

/** Sync, an update: a new client has put `text` at the start of the text `wsk`, as Yjs encodes that. */
function insertion(text: string): Buffer {
  const client = varUint(randomBytes(4).readUInt32BE());
  const name = Buffer.from('wsk');
  const struct = [
    1,
    1,
    ...client,
    0,
    4,
    1,
    name.length,
    ...name,
    text.length,
    ...Buffer.from(text),
    0,
  ];
  return Buffer.from([0, 2, ...varUint(struct.length), ...struct]);
}

const STEP_1 = Buffer.of(0, 0);
/** Sync, step 1, of who has nothing. */
const ASKS_FOR_ALL = Buffer.of(0, 0, 1, 0);
/** An update that ends before its length. */
const MALFORMED = Buffer.of(0, 2, 100, 1);
const PERMISSION_DENIED = Buffer.of(2, 0);

/** Two clients edit one document, a third gets what they have made, and a malformed message harms nobody. */
export const collab: Check = {
  id: 'collab',
  rfc: '',
  title: 'clients edit a document together',
  async run(context) {
    await using first = await context.dial();
    await using second = await context.dial();
    for (const channel of [first, second]) {
      await expectMessage(context, channel, 'sync step 1', STEP_1);
    }
    const texts = [first, second].map(() => randomBytes(6).toString('hex'));
    for (const [index, text] of texts.entries()) {
      const [from, to] = index === 0 ? ([first, second] as const) : ([second, first] as const);
      void from.sendBinary(insertion(text));
      try {
        await expectMessage(context, to, 'what the other has written', text);
      } catch (error) {
        if (error instanceof CheckFailure && (await isDenied(from))) {
          throw new CheckRemark('info', 'the project lets nobody write to the document');
        }
        throw error;
      }
    }
    await using third = await context.dial();
    void third.sendBinary(ASKS_FOR_ALL);
    await expectMessage(context, third, 'sync step 2 with what both have written', ...texts);
    await using fourth = await context.dial();
    void fourth.sendBinary(MALFORMED);
    const { code } = await expectEvent(fourth, {
      type: 'close',
      what: 'a close with 1007 over a malformed message',
      timeoutMs: context.leftMs(),
    });
    if (code !== 1007) throw new CheckFailure(`closed with ${code} over a malformed message`);
    void third.sendBinary(ASKS_FOR_ALL);
    await expectMessage(context, third, 'sync step 2 after that', ...texts);
    return pass('both have what each wrote, as has a third; a malformed message closed with 1007');
  },
};

/** Waits for a message that holds all of `parts`. */
async function expectMessage(
  context: CheckContext,
  channel: Channel,
  what: string,
  ...parts: readonly (string | Buffer)[]
): Promise<void> {
  await expectEvent(channel, {
    type: 'message',
    what,
    // Several of these fit into the time of the check.
    timeoutMs: context.leftMs() / 2,
    match: ({ data }) => parts.every((part) => data.includes(part)),
  });
}

/** Whether a client was told that it may not do what it did. */
async function isDenied(channel: Channel): Promise<boolean> {
  for (;;) {
    const event = await channel.next(0);
    if (event === undefined || event.type === 'close') return false;
    if (event.type === 'message' && event.data.subarray(0, 2).equals(PERMISSION_DENIED))
      return true;
  }
}
