import { Refusal } from './wamp-codec.ts';
import { covers, isReserved } from './wamp-uris.ts';
import type { Match } from './wamp-uris.ts';

export const ACTIONS = ['call', 'register', 'publish', 'subscribe'] as const;
export type Action = (typeof ACTIONS)[number];

/** What sessions of a role may do with the URIs that it names; `disclose`: they may say who they are. */
export interface Rule {
  readonly uri: string;
  readonly match: Match;
  readonly allow: readonly (Action | 'disclose')[];
}

/** Answers that are kept. */
const MAX_KEPT = 10_000;

/** The rules of a role add up: what none allows is refused. */
export class Role {
  readonly #rules: readonly Rule[];
  readonly #kept = new Map<string, boolean>();

  constructor(rules: readonly Rule[]) {
    this.#rules = rules;
  }

  /** @throws {Refusal} unless the role may do that with all that `uri` stands for. */
  check(action: Action, uri: string, match: Match = 'exact'): void {
    if (this.#allows(action, uri, match)) return;
    throw new Refusal('wamp.error.not_authorized', `${action} is not allowed for this role`);
  }

  /** Checks a call or a publication to `uri`; true if who makes it wishes to be disclosed and may be. */
  discloses(action: 'call' | 'publish', uri: string, wish: boolean): boolean {
    this.check(action, uri);
    if (wish && !this.#allows(action, uri, 'exact', 'disclose')) {
      throw new Refusal('wamp.error.option_disallowed.disclose_me', 'not allowed for this role');
    }
    return wish;
  }

  #allows(action: Action, uri: string, match: Match, also?: 'disclose'): boolean {
    const key = `${also ?? ''} ${action} ${match} ${uri}`;
    let answer = this.#kept.get(key);
    if (answer === undefined) {
      answer = this.#rules.some(
        (rule) =>
          rule.allow.includes(action) &&
          (also === undefined || rule.allow.includes(also)) &&
          // A rule for everything is none for the procedures of the router.
          isReserved(rule.uri) === isReserved(uri) &&
          covers(rule.uri, rule.match, uri, match),
      );
      if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
      this.#kept.set(key, answer);
    }
    return answer;
  }
}
