import { didYouMean } from '../../../core/did-you-mean.ts';
import type { Path } from './located-document.ts';
import { quote } from './located-document.ts';
import type { Scope } from './scope.ts';

/** What a step can be, in the order in which they are told to the user. */
export const STEP_NAMES = ['connect', 'send', 'expect', 'think', 'loop', 'close'] as const;
/** Name of a step, which is its key in the file. */
export type StepName = (typeof STEP_NAMES)[number];

/** The only key of a raw step, or undefined after noting what is wrong. */
export function stepName(scope: Scope, raw: unknown, path: Path): StepName | undefined {
  const { document } = scope;
  if (raw === 'connect' || raw === 'close') return raw;
  if (typeof raw === 'string') {
    const known = STEP_NAMES.some((name) => name === raw);
    if (known) document.fault(path, `${raw} needs a value`);
    else document.fault(path, `unknown step ${quote(raw)}`, didYouMean(raw, STEP_NAMES));
    return undefined;
  }
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    document.fault(path, `${quote(raw)} is not a step, expected one of ${STEP_NAMES.join(', ')}`);
    return undefined;
  }
  const keys = Object.keys(raw);
  const unknown = keys.filter((key) => !STEP_NAMES.some((name) => name === key));
  for (const key of unknown) {
    // Beside a known step it is more likely a key that stands too far to the left.
    const hint = unknown.length < keys.length ? 'indent it more?' : didYouMean(key, STEP_NAMES);
    document.keyFault([...path, key], `unknown step ${quote(key)}`, hint);
  }
  if (unknown.length > 0) return undefined;
  const [key, second] = keys;
  if (second !== undefined) {
    document.keyFault([...path, second], `${second} and ${key} are one step, expected a "-" each`);
    return undefined;
  }
  if (key === undefined) document.fault(path, 'a step is empty');
  return key as StepName | undefined;
}
