import { isUtf8 } from 'node:buffer';
import type { CaseEvent, Clip } from './result.ts';
import { printable } from '../report/printable.ts';

/** Payload shown of one event: characters of text, and octets in hex. */
const MAX_SHOWN = 40;
const MAX_OCTETS = 24;

/** Describes what a case expected or saw: `text "Hello" (5 bytes)`. */
export function describeEvent(event: CaseEvent): string {
  switch (event.type) {
    case 'message':
      return `${event.binary ? 'binary' : 'text'} ${describePayload(event.payload, event.binary)}`;
    case 'pong':
      return `pong ${describePayload(event.payload, false)}`;
    case 'timeout':
      return `still open after pause ${printable(event.tag)}`;
  }
}

/** `"Hello" (5 bytes)`, or hex where the octets are binary or no UTF-8. */
export function describePayload({ length, hex }: Clip, binary: boolean): string {
  const size = `(${length} byte${length === 1 ? '' : 's'})`;
  if (length === 0) return size;
  const bytes = Buffer.from(hex, 'hex');
  const shown = binary || !isUtf8(bytes) ? spaced(hex) : quoted(bytes.toString('utf8'), length);
  return `${shown} ${size}`;
}

function quoted(text: string, length: number): string {
  const characters = Array.from(text);
  const all = characters.length <= MAX_SHOWN && Buffer.byteLength(text) === length;
  return `"${printable(characters.slice(0, MAX_SHOWN).join(''))}"${all ? '' : '…'}`;
}

function spaced(hex: string): string {
  const shown = hex.slice(0, 2 * MAX_OCTETS).replace(/..(?=.)/g, '$& ');
  return hex.length > 2 * MAX_OCTETS ? `${shown} …` : shown;
}

/** `nothing`, or the events one after the other, at most `limit` of them. */
export function describeEvents(events: readonly CaseEvent[], limit = 3): string {
  if (events.length === 0) return 'nothing';
  const shown = events.slice(0, limit).map(describeEvent).join(', ');
  return events.length > limit ? `${shown} and ${events.length - limit} more` : shown;
}
