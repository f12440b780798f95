import { violation } from '../violations.ts';
import type { SeenExpected, Violation, ViolationCode, ViolationData } from '../violations.ts';

/** The result of one rule of an RFC for one head. */
export interface RuleResult {
  /** Stable, in kebab-case. */
  readonly id: string;
  /** The section, as `6455#4.1`. */
  readonly rfc: string;
  /** The rule in one sentence. */
  readonly rule: string;
  /** `skip`: the rule does not apply, `seen` says why. */
  readonly verdict: 'pass' | 'fail' | 'skip';
  readonly seen: string;
  readonly expected: string;
  /** Whether a failure refuses the handshake; otherwise an offer is declined, or nothing happens. */
  readonly fatal: boolean;
  /** Present exactly when the verdict is fail. */
  readonly violation?: Violation;
}

/** The result of a check, made by `pass`, `fail`, `skip` or `verdict`. */
export interface Finding {
  readonly verdict: RuleResult['verdict'];
  readonly seen: string;
}

/** The codes whose data is `SeenExpected`. */
type HandshakeCode = {
  [C in ViolationCode]: SeenExpected extends ViolationData<C> ? C : never;
}[ViolationCode];

/** A rule of the handshake as data. */
export interface Rule<Context> {
  readonly id: string;
  readonly rfc: string;
  readonly rule: string;
  readonly code: HandshakeCode;
  readonly expected: string | ((context: Context) => string);
  /** True if absent. */
  readonly fatal?: boolean;
  readonly check: (context: Context) => Finding;
}

export function pass(seen: string): Finding {
  return { verdict: 'pass', seen };
}

export function fail(seen: string): Finding {
  return { verdict: 'fail', seen };
}

export function skip(seen: string): Finding {
  return { verdict: 'skip', seen };
}

export function verdict(holds: boolean, seen: string): Finding {
  return holds ? pass(seen) : fail(seen);
}

/** Checks every rule, in order. */
export function evaluate<Context>(rules: readonly Rule<Context>[], context: Context): RuleResult[] {
  return rules.map(({ id, rfc, rule, code, expected: text, fatal = true, check }) => {
    const { verdict, seen } = check(context);
    const expected = typeof text === 'string' ? text : text(context);
    const result: RuleResult = { id, rfc, rule, verdict, seen, expected, fatal };
    if (verdict !== 'fail') return result;
    return { ...result, violation: violation(code, { seen, expected }, rfc) };
  });
}

/** The violation that refuses a handshake: that of the first fatal rule that fails. */
export function firstBreach(results: readonly RuleResult[]): Violation | undefined {
  return results.find((result) => result.fatal && result.verdict === 'fail')?.violation;
}
