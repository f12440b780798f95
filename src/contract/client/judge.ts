import type { ClientCase } from './case.ts';
import type { Line } from './client-process.ts';
import type { Entry } from './dialect.ts';

/** What happened in a case. */
export interface Course {
  /** What was published, in order. */
  readonly truth: readonly Entry[];
  /** What the application saw, in order: texts, and whether all was recovered. */
  readonly seen: readonly ({ readonly text: unknown } | { readonly recovered: boolean })[];
  /** The keys of what the client published, and their texts. */
  readonly published: ReadonlyMap<string, string>;
  /** The client's `ack` and `rejected`. */
  readonly outcomes: readonly Line[];
  readonly tokensTaken: number;
  /** When handshakes came, in milliseconds. */
  readonly attempts: readonly number[];
  /** Waits that the client announced, in milliseconds. */
  readonly waits: readonly number[];
  readonly isClosed: boolean;
  /** It has seen the last of `truth`, and all outcomes have come. */
  readonly isComplete: boolean;
}

/** How precise the timers of a client are, in milliseconds. */
const TIMER_MS = 20;

/** What is wrong with what the client has made of a case. */
export function faultsOf({ expect }: ClientCase, course: Course): string[] {
  const { attempts, isClosed, isComplete } = course;
  const count = attempts.length;
  const [first = 0, second = Infinity] = attempts;
  const faults = [...faultsOfSeen(course), ...faultsOfPublished(course, expect.publish ?? 'acked')];
  const isTerminal = expect.closedAfter !== undefined;
  if (isTerminal && !isClosed) faults.push('it did not give up');
  if (!isTerminal && isClosed) faults.push('it gave up');
  if (!isTerminal && !isComplete) faults.push('it did not see everything in time');
  const wanted = expect.closedAfter ?? [expect.connections ?? count];
  if (!wanted.includes(count)) faults.push(`it made ${count} attempts, not ${wanted.join(' or ')}`);
  const tokens = expect.tokensTaken ?? 0;
  if (course.tokensTaken < tokens) faults.push('it did not replace the token');
  const gaps = course.seen.filter((one) => 'recovered' in one && !one.recovered).length;
  const gap = expect.gap ?? 'no';
  if (gap === 'yes' && gaps === 0) faults.push('it did not say that something is lost');
  if (gap === 'no' && gaps > 0) faults.push('it said that something is lost, and nothing was');
  if (expect.waitsMs !== undefined && second - first < expect.waitsMs - TIMER_MS) {
    faults.push(`it came back after ${Math.round(second - first)} ms, not ${expect.waitsMs} ms`);
  }
  const { growsToMs = 0 } = expect;
  // A busy machine makes each attempt late, so that short waits look long: what was announced counts, too.
  const announced = course.waits.length === 0 ? Infinity : course.waits.reduce((a, b) => a + b);
  const waited = Math.min(announced, (attempts.at(-1) ?? first) - first);
  if (waited < growsToMs) {
    faults.push(`its ${count - 1} waits are ${Math.round(waited)} ms together: they do not grow`);
  }
  return faults;
}

/** Each message once and in order, without a gap that is not told of. */
function faultsOfSeen({ truth, seen }: Course): string[] {
  const places = new Map(truth.map(({ text }, at) => [text, at]));
  const faults: string[] = [];
  let last: number | undefined;
  for (const one of seen) {
    if ('recovered' in one) {
      if (!one.recovered) last = undefined;
      continue;
    }
    const text = String(one.text);
    const place = places.get(text);
    if (place === undefined) faults.push(`it saw ${text}, which nobody has published`);
    else if (last !== undefined && place <= last) faults.push(`it saw ${text} twice or too late`);
    else if (last !== undefined && place > last + 1)
      faults.push(`it missed what is before ${text}`);
    last = place ?? last;
  }
  return faults;
}

function faultsOfPublished(
  { truth, published, outcomes }: Course,
  expected: 'acked' | 'unknown' | 'any',
): string[] {
  return [...published].flatMap(([key, text], at) => {
    const wanted = at > 0 && expected === 'unknown' ? 'acked' : expected;
    const own = outcomes.filter((outcome) => outcome['key'] === key);
    const [outcome] = own;
    const entries = truth.filter((entry) => entry.text === text);
    if (own.length > 1) return [`what it published as ${key} ended ${own.length} times`];
    if (outcome === undefined) return wanted === 'any' ? [] : [`${key} has no outcome`];
    if (outcome.event === 'ack') {
      if (wanted === 'unknown') return [`${key} is acknowledged, but nobody knows`];
      if (entries.length !== 1) return [`${key} was published ${entries.length} times`];
      return outcome['offset'] === entries[0]?.offset ? [] : [`the offset of ${key} is wrong`];
    }
    if (wanted === 'acked') return [`${key} was rejected as ${String(outcome['code'])}`];
    return entries.length > 1 ? [`${key} was published ${entries.length} times`] : [];
  });
}
