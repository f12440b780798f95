import { violation } from '../violations.ts';
import type { SeenExpected, Violation, ViolationCode, ViolationData } from '../violations.ts';

/** One rule of an RFC, held against one head. */
export interface RuleResult {
  /** Stable, in kebab-case. */
  readonly id: string;
  /** The section, as `6455#4.1`. */
  readonly rfc: string;
  /** The rule in one sentence. */
  readonly rule: string;
  /** `skip`: the rule has nothing to be held against, `seen` says why. */
  readonly verdict: 'pass' | 'fail' | 'skip';
  readonly seen: string;
  readonly expected: string;
  /** Whether the handshake has to be refused for it; otherwise an offer is declined, or nothing. */
  readonly fatal: boolean;
  /** Present exactly when the verdict is fail. */
  readonly violation?: Violation;
}

/** What a check found; made by `pass`, `fail`, `skip` and `judge`. */
export interface Finding {
  readonly verdict: RuleResult['verdict'];
  readonly seen: string;
}

/** The codes whose data is what was seen and what was expected. */
type HandshakeCode = {
  [C in ViolationCode]: SeenExpected extends ViolationData<C> ? C : never;
}[ViolationCode];

/** A rule as data; the lists of them are what handshakes are judged by. */
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

export function judge(holds: boolean, seen: string): Finding {
  return holds ? pass(seen) : fail(seen);
}

/** Holds every rule against `context`, in order. */
export function evaluate<Context>(rules: readonly Rule<Context>[], context: Context): RuleResult[] {
  return rules.map(({ id, rfc, rule, code, expected: text, fatal = true, check }) => {
    const { verdict, seen } = check(context);
    const expected = typeof text === 'string' ? text : text(context);
    const result: RuleResult = { id, rfc, rule, verdict, seen, expected, fatal };
    if (verdict !== 'fail') return result;
    return { ...result, violation: violation(code, { seen, expected }, rfc) };
  });
}

/** The breach a handshake has to be refused for: that of the first fatal rule that fails. */
export function firstBreach(results: readonly RuleResult[]): Violation | undefined {
  return results.find((result) => result.fatal && result.verdict === 'fail')?.violation;
}
