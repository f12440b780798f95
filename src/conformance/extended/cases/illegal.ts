import type { WireFrame } from '../../script.ts';
import { fails, send } from '../../handshake/builders.ts';
import type { Row } from '../../handshake/builders.ts';

/** Frames that make a peer fail the connection. */
export interface Illegal {
  readonly id: string;
  readonly title: string;
  readonly sends: string;
  readonly frames: readonly WireFrame[];
}

/** Makes cases of frames that break a section of an RFC, and which 1002 is for. */
export function illegal(rfc: string): (row: Illegal) => Row {
  return ({ frames, ...row }) => ({
    rfc,
    ...row,
    send: [send(...frames)],
    expect: fails([1002]),
  });
}
