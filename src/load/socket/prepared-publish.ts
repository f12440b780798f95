import { encodeFrame } from '../../protocol/index.ts';
import type { Connection } from './connection.ts';
import { ID_DIGITS } from '../measure/published.ts';
import { maskingKey } from '../random.ts';

const PLACE = '{{id}}';
/** Prepared frames, each with a masking key of its own. */
const FRAMES = 16;

/** The message to be published as masked frames, which lack only the id. */
export class PreparedPublish {
  readonly #frames: Buffer[];
  /** Where the ids stand in the payload, and where the payload stands in the frame. */
  readonly #places: readonly number[];
  readonly #start: number;
  readonly #copy: boolean;
  #turn = 0;

  /** `copy`: the socket sends after `write` has returned, as TLS sockets do. */
  constructor(template: string, opcode: 1 | 2, copy: boolean) {
    const texts = template.split(PLACE);
    const payload = Buffer.from(texts.join('0'.repeat(ID_DIGITS)));
    let at = 0;
    this.#places = texts.slice(0, -1).map((text) => {
      at += Buffer.byteLength(text) + ID_DIGITS;
      return at - ID_DIGITS;
    });
    this.#frames = Array.from({ length: FRAMES }, () =>
      encodeFrame({ opcode, payload, maskingKey: maskingKey() }),
    );
    this.#start = (this.#frames[0] as Buffer).length - payload.length;
    this.#copy = copy;
  }

  /** Sends the template with this id; returns the size of the frame. */
  send({ socket }: Connection, id: string): number {
    const turn = this.#turn++ % FRAMES;
    const frame = this.#frames[turn] as Buffer;
    for (const place of this.#places) {
      for (let i = 0; i < ID_DIGITS; i++) {
        const key = frame[this.#start - 4 + ((place + i) & 3)] as number;
        frame[this.#start + place + i] = id.charCodeAt(i) ^ key;
      }
    }
    if (socket === undefined) return frame.length;
    if (this.#copy || socket.writableLength > 0) socket.write(Buffer.from(frame));
    else {
      socket.write(frame);
      // The system did not take all of it: the rest is still to be sent from where it is.
      if (socket.writableLength > 0) this.#frames[turn] = Buffer.from(frame);
    }
    return frame.length;
  }
}
