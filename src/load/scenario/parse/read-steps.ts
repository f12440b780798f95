import type {
  ConnectStep,
  ExpectStep,
  LoopStep,
  SendStep,
  Step,
  Template,
  ThinkStep,
} from '../scenario.ts';
import { didYouMean } from '../../../core/did-you-mean.ts';
import type { Path } from '../../../core/located-document.ts';
import { quote } from '../../../core/located-document.ts';
import { messagesOf } from '../messages-of.ts';
import { durationRange } from './range.ts';
import { checkBase64, readCaptures, readMatcher } from './read-matcher.ts';
import type { Scope } from './scope.ts';
import {
  CloseShape,
  ConnectShape,
  ExpectShape,
  LoopShape,
  MatcherShape,
  SendShape,
} from './shapes.ts';

/** In the order of messages to the user. */
export const STEP_NAMES = ['connect', 'send', 'expect', 'think', 'loop', 'close'] as const;
type StepName = (typeof STEP_NAMES)[number];

/** Default of `timeout`. */
const EXPECT_TIMEOUT_MS = 10_000;

/** Reads the steps of one client in their order. */
export class StepReader {
  readonly #scope: Scope;
  #connected = false;
  #sends = 0;
  #schedules = 0;
  #depth = 0;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  read(list: readonly unknown[], path: Path): Step[] {
    const steps: Step[] = [];
    const replies = new Replies();
    if (list.length === 0) this.#scope.document.fault(path, 'steps are empty');
    let endless = false;
    for (const [i, raw] of list.entries()) {
      const at = [...path, i];
      if (endless) {
        this.#scope.document.fault(at, 'this step is never reached, the loop before it has no end');
        break;
      }
      const step = this.#step(raw, at, replies);
      if (step === undefined) continue;
      steps.push(step);
      endless = step.kind === 'loop' && step.until.kind === 'forever';
    }
    return steps;
  }

  #step(raw: unknown, at: Path, replies: Replies): Step | undefined {
    const name = stepName(this.#scope, raw, at);
    if (name === undefined) return undefined;
    const isBare = typeof raw === 'string';
    const path = isBare ? at : [...at, name];
    const value = isBare ? null : (raw as Record<string, unknown>)[name];
    switch (name) {
      case 'connect':
        return this.#connect(value ?? {}, path);
      case 'send':
        return this.#send(value, path, replies);
      case 'expect':
        return this.#expect(value, path, replies);
      case 'think':
        return this.#think(value, path);
      case 'loop':
        return this.#loop(value, path);
      case 'close': {
        this.#needConnection(path, name);
        this.#connected = false;
        const code = this.#scope.document.read(CloseShape, value ?? undefined, path);
        return code === undefined ? undefined : { kind: name, at: this.#at(path), code };
      }
    }
  }

  #at(path: Path): string {
    return this.#scope.document.at(path);
  }

  #needConnection(path: Path, name: string): void {
    if (this.#connected) return;
    this.#scope.document.fault(path, `${name} without a connection, expected a connect before it`);
    // Report it once.
    this.#connected = true;
  }

  #connect(value: unknown, path: Path): ConnectStep | undefined {
    if (this.#connected) {
      this.#scope.document.fault(path, 'connect while connected, expected a close before it');
    }
    this.#connected = true;
    const shape = this.#scope.document.read(ConnectShape, value, path);
    if (shape === undefined) return undefined;
    const { subprotocol = [] } = shape;
    const pairs = (key: 'query' | 'headers'): [string, Template][] =>
      Object.entries(shape[key] ?? {}).map(([name, text]) => [
        name,
        this.#scope.text(text, [...path, key, name]),
      ]);
    return {
      kind: 'connect',
      at: this.#at(path),
      path: shape.path === undefined ? null : this.#scope.text(shape.path, [...path, 'path']),
      query: pairs('query'),
      headers: pairs('headers'),
      subprotocols: typeof subprotocol === 'string' ? [subprotocol] : subprotocol,
    };
  }

  #send(value: unknown, path: Path, replies: Replies): SendStep | undefined {
    this.#needConnection(path, 'send');
    const what = readPayload(this.#scope, value, path);
    if (what === undefined) return undefined;
    const step: Draft = {
      kind: 'send',
      at: this.#at(path),
      ...what,
      awaited: false,
      id: this.#sends++,
    };
    replies.send(step);
    return step;
  }

  #expect(raw: unknown, path: Path, replies: Replies): ExpectStep | undefined {
    this.#needConnection(path, 'expect');
    const { document } = this.#scope;
    const shape = document.read(ExpectShape, raw === 'any' ? { any: true } : raw, path);
    if (shape === undefined) {
      // Later uses of what it captures are not wrong because something else is.
      this.#scope.assume(Object.keys(fieldOf(raw, 'capture') ?? {}));
      return undefined;
    }
    const { check, capture, timeout, label, ...condition } = shape;
    const match = readMatcher(this.#scope, condition, path);
    const checkPath = [...path, 'check'];
    const checkShape =
      check === undefined ? undefined : document.read(MatcherShape, check, checkPath);
    return {
      kind: 'expect',
      at: this.#at(path),
      match,
      check: checkShape === undefined ? null : readMatcher(this.#scope, checkShape, checkPath),
      captures: readCaptures(this.#scope, capture, [...path, 'capture']),
      timeoutMs: timeout ?? EXPECT_TIMEOUT_MS,
      label: label ?? null,
      ...replies.expect(),
      looped: this.#depth > 0,
    };
  }

  #think(value: unknown, path: Path): ThinkStep | undefined {
    const range = durationRange(value);
    if (range !== undefined) {
      return { kind: 'think', at: this.#at(path), minMs: range.min, maxMs: range.max };
    }
    const expected = 'expected a duration such as 500ms, or a range such as 1s..3s';
    this.#scope.document.fault(path, `think is ${quote(value)}, ${expected}`);
    return undefined;
  }

  #loop(value: unknown, path: Path): LoopStep | undefined {
    const { document } = this.#scope;
    const shape = document.read(LoopShape, value, path);
    if (shape === undefined) return undefined;
    const until = this.#exit(shape, path);
    if (shape.every !== undefined && ++this.#schedules > 1) {
      const path1 = [...path, 'every'];
      document.keyFault(path1, 'a second every, expected one loop with a schedule for each client');
    }
    const before = this.#connected;
    this.#depth += 1;
    const steps = this.read(shape.steps, [...path, 'steps']);
    this.#depth -= 1;
    const again = until?.kind !== 'times' || until.times > 1;
    if (again && before !== this.#connected) {
      const states = before ? ['closed', 'open'] : ['open', 'closed'];
      const what = `the connection is ${states[0]} after a pass and ${states[1]} before it`;
      document.fault(path, `${what}, so that the next pass cannot begin`);
    }
    if (until === undefined) return undefined;
    if (until.kind !== 'times' && shape.every === undefined && !steps.some(waits)) {
      document.fault(path, 'loop that never waits', 'add every:, an expect or a think');
    }
    const everyMs = shape.every ?? null;
    return { kind: 'loop', at: this.#at(path), until, everyMs, messages: messagesOf(steps), steps };
  }

  #exit(shape: ReturnType<typeof LoopShape.parse>, path: Path): LoopStep['until'] | undefined {
    const given = (['times', 'for', 'forever'] as const).filter((key) => shape[key] !== undefined);
    if (given.length === 1) {
      if (shape.times !== undefined) return { kind: 'times', times: shape.times };
      if (shape.for !== undefined) return { kind: 'for', ms: shape.for };
      return { kind: 'forever' };
    }
    const seen = given.length === 0 ? 'loop without exit' : `loop with ${given.join(' and ')}`;
    this.#scope.document.fault(path, `${seen}, expected one of times, for, forever`);
    return undefined;
  }
}

function fieldOf(value: unknown, key: string): object | undefined {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  const field = (value as Record<string, unknown>)[key];
  return typeof field === 'object' && field !== null ? field : undefined;
}

function waits(step: Step): boolean {
  switch (step.kind) {
    case 'expect':
    case 'connect':
      return true;
    case 'think':
      return step.minMs > 0;
    case 'loop':
      return step.everyMs !== null || step.steps.some(waits);
    case 'send':
    case 'close':
      return false;
  }
}

/** The only key of a raw step; undefined after reporting a fault. */
function stepName(scope: Scope, raw: unknown, path: Path): StepName | undefined {
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
    // Beside a known step, it is likely a key that is not indented enough.
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

/** A send whose `awaited` is still open. */
type Draft = { -readonly [Key in keyof SendStep]: SendStep[Key] };

/** Finds for each expectation the send that it is the reply to, within one list of steps. */
class Replies {
  readonly #unanswered: Draft[] = [];
  #latest: Draft | undefined;

  send(step: Draft): void {
    this.#unanswered.push(step);
  }

  expect(): Pick<ExpectStep, 'replyTo' | 'completes'> {
    const next = this.#unanswered.shift();
    if (next !== undefined) {
      next.awaited = true;
      this.#latest = next;
      return { replyTo: next.id, completes: true };
    }
    // A further message, such as a broadcast, is measured from the same send.
    return { replyTo: this.#latest?.id ?? null, completes: false };
  }
}

/** Reads the payload of a send or an answer. */
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
