import type { Lab } from './lab.ts';
import { REALTIME_TYPES } from './terms.ts';
import type { ContractFeature, ContractType, Need, RealtimeType, Section } from './terms.ts';

/** One sentence of the protocol as data: what it is about, and a short script that finds out. */
export interface Row {
  /** Stable: `chat.resume.future-since`; rows of all types begin with `common`. */
  readonly id: string;
  readonly title: string;
  readonly types: readonly ContractType[];
  readonly section: Section;
  /** The paragraph of an RFC or of another specification, as `7519#6`, or the item of OWASP's WebSocket cheat sheet. */
  readonly reference?: string;
  readonly needs?: readonly Need[];
  /** Features without which the sentence holds. */
  readonly lacks?: readonly ContractFeature[];
  /** Which settings the server was started with; `standard` if absent. See environments.ts. */
  readonly environment?: string;
  /** It uses up what other rows need, so it runs after them, by itself. */
  readonly isAlone?: boolean;
  /** It sees the server stop. */
  readonly stops?: boolean;
  /** The specification recommends it, or only its reference implementation does it: a warning, no failure. */
  readonly isAdvice?: boolean;
  /** Throws a `RowFailure` for a sentence that does not hold. */
  readonly run: (lab: Lab) => Promise<void>;
}

/** How one row ended. */
export interface RowResult {
  readonly row: Row;
  readonly verdict: 'pass' | 'warn' | 'fail' | 'skip';
  /** Why it did not pass. */
  readonly detail: string;
  readonly durationMs: number;
}

/** Types that speak the protocol of generated servers. */
export const ALL: readonly RealtimeType[] = REALTIME_TYPES;
/** Types whose clients publish. */
export const PUBLISHING: readonly RealtimeType[] = ['chat', 'pubsub'];

type Rest = Omit<Row, 'id' | 'title' | 'run' | 'types' | 'section'> & Partial<Pick<Row, 'types'>>;

/** Makes rows of one section for some types; `rest` is what else one of them has. */
export function rowsOf(
  section: Section,
  types: readonly ContractType[],
  common: Rest = {},
): (id: string, title: string, run: Row['run'], rest?: Rest) => Row {
  return (id, title, run, rest = {}) => {
    const needs = [...(common.needs ?? []), ...(rest.needs ?? [])];
    return { id, title, types, section, run, ...common, ...rest, needs };
  };
}
