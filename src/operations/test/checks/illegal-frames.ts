import { randomBytes } from 'node:crypto';
import { CloseCode, Opcode, encodeFrame } from '../../../protocol/index.ts';
import type { Check } from '../check.ts';
import { refusalOutcome, reactionOf } from '../reaction.ts';
import type { Refusal } from '../reaction.ts';

interface IllegalFrame extends Refusal {
  readonly id: string;
  readonly rfc: string;
  readonly title: string;
  readonly bytes: () => Buffer;
}

const FRAMES: readonly IllegalFrame[] = [
  {
    id: 'invalid-utf8',
    rfc: '6455#8.1',
    title: 'invalid UTF-8 refused with 1007',
    what: 'a text with the bytes ed a0 80 (a surrogate)',
    bytes: () =>
      encodeFrame({
        opcode: Opcode.text,
        payload: Buffer.from('cebae1bdb9eda080', 'hex'),
        maskingKey: randomBytes(4),
      }),
    closeCode: CloseCode.invalidPayload,
  },
  {
    id: 'unmasked-frame',
    // "In this case, a server MAY send a Close frame with a status code of 1002".
    rfc: '6455#5.1',
    title: 'unmasked frame refused with 1002',
    what: 'an unmasked text frame',
    bytes: () => encodeFrame({ opcode: Opcode.text, payload: Buffer.from('unmasked') }),
    closeCode: CloseCode.protocolError,
    anyCode: true,
  },
  {
    id: 'reserved-opcode',
    // "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket
    // Connection_".
    rfc: '6455#5.2',
    title: 'reserved opcode refused with 1002',
    what: 'a frame with opcode 3',
    bytes: () => encodeFrame({ opcode: 3, maskingKey: randomBytes(4) }),
    closeCode: CloseCode.protocolError,
  },
];

/** Frames that a server has to refuse, each on a connection of its own. */
export const illegalFrames: readonly Check[] = FRAMES.map((frame) => ({
  id: frame.id,
  rfc: frame.rfc,
  title: frame.title,
  async run({ dial, leftMs }) {
    await using channel = await dial();
    void channel.writeRaw(frame.bytes());
    return refusalOutcome(await reactionOf(channel, leftMs()), frame);
  },
}));
