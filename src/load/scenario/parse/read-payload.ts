import type { SendStep } from '../scenario.ts';
import type { Path } from './located-document.ts';
import { checkBase64 } from './read-matcher.ts';
import type { Scope } from './scope.ts';
import { SendShape } from './shapes.ts';

/** Reads what a send or an answer sends. */
export function readPayload(
  scope: Scope,
  raw: unknown,
  path: Path,
): Pick<SendStep, 'opcode' | 'payload'> | undefined {
  const value = typeof raw === 'string' || typeof raw === 'number' ? { text: raw } : raw;
  const shape = scope.document.read(SendShape, value, path);
  if (shape === undefined) return undefined;
  const given = Object.keys(value as object);
  if (given.length !== 1) {
    const seen = given.length === 0 ? 'nothing to send' : given.join(' and ');
    scope.document.fault(path, `${seen}, expected one of text, json, binary`);
    return undefined;
  }
  if (shape.text !== undefined)
    return { opcode: 1, payload: scope.text(shape.text, [...path, 'text']) };
  const { binary } = shape;
  if (binary === undefined)
    return { opcode: 1, payload: scope.json(shape.json, [...path, 'json']) };
  if (!binary.includes('{{')) checkBase64(scope, binary, [...path, 'binary']);
  return { opcode: 2, payload: scope.text(binary, [...path, 'binary']) };
}
