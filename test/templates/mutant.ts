/** A generated server without one of its guards: what to take out, and who has to notice. */
export interface Mutant {
  readonly without: string;
  readonly file: string;
  readonly find: string | RegExp;
  readonly replace: string;
  readonly check: string;
}
