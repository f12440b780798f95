import { isUtf8 } from 'node:buffer';
import { explainCloseCode } from './close-code.ts';
import type { Frame } from './frame.ts';
import { minimalLengthBytes } from './frame-header.ts';
import { Opcode, opcodeName } from './opcode.ts';

/** Most characters of text, or bytes in hex, that are shown of a payload. */
const MAX_SHOWN = 48;

/**
 * Describes a frame on one line: `text "Hello" [5 bytes, masked]`.
 *
 * The brackets also hold what is unusual: `fin=0`, reserved bits, a length field that is too long.
 */
export function describeFrame(frame: Frame): string {
  const { payload } = frame;
  const marks = [
    `${payload.length} byte${payload.length === 1 ? '' : 's'}`,
    ...(frame.maskingKey === undefined ? [] : ['masked']),
    ...(frame.fin ? [] : ['fin=0']),
    ...(frame.rsv1 ? ['rsv1'] : []),
    ...(frame.rsv2 ? ['rsv2'] : []),
    ...(frame.rsv3 ? ['rsv3'] : []),
    ...(frame.lengthBytes === minimalLengthBytes(payload.length)
      ? []
      : [`length in ${frame.lengthBytes * 8} bits`]),
  ];
  const content = describePayload(frame);
  return [
    opcodeName(frame.opcode),
    ...(content === '' ? [] : [content]),
    `[${marks.join(', ')}]`,
  ].join(' ');
}

function describePayload({ opcode, payload, rsv1 }: Frame): string {
  if (payload.length === 0) return '';
  if (opcode === Opcode.close) {
    if (payload.length === 1) return hex(payload);
    const code = payload.readUInt16BE(0);
    const reason = payload.length > 2 ? ` ${describeBytes(payload.subarray(2))}` : '';
    return `${code} (${explainCloseCode(code)})${reason}`;
  }
  return opcode === Opcode.binary || rsv1 ? hex(payload) : describeBytes(payload);
}

function describeBytes(bytes: Buffer): string {
  if (!isUtf8(bytes)) return hex(bytes);
  const characters = Array.from(bytes.toString('utf8').slice(0, 2 * MAX_SHOWN + 2));
  const shown = JSON.stringify(characters.slice(0, MAX_SHOWN).join(''));
  return characters.length > MAX_SHOWN ? `${shown}…` : shown;
}

function hex(bytes: Buffer): string {
  const shown = bytes
    .subarray(0, MAX_SHOWN)
    .toString('hex')
    .replace(/..(?=.)/g, '$& ');
  return bytes.length > MAX_SHOWN ? `${shown} …` : shown;
}
