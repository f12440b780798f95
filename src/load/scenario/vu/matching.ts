import { isDeepStrictEqual } from 'node:util';
import { valueAt } from '../json-path.ts';
import type { Capture, Matcher, Template } from '../scenario.ts';
import { render } from '../template.ts';
import type { Lookup } from '../template.ts';
import type { IncomingMessage } from './message.ts';

/** Whether a message matches. */
export type Predicate = (message: IncomingMessage) => boolean;

/** A prepared matcher: its templates are filled in once for each expectation. */
export type CompiledMatcher = (lookup: Lookup) => Predicate;

const NO_LOOKUP: Lookup = () => undefined;

/** Throws `UnsetVariable`, when it is called with a lookup that lacks one. */
export function compileMatcher(matcher: Matcher): CompiledMatcher {
  const conditions: CompiledMatcher[] = [
    ...matcher.json.map(({ path, equals }) =>
      withValue(equals, (json) => {
        const value: unknown = JSON.parse(json);
        return (message) => isDeepStrictEqual(valueAt(message.json, path), value);
      }),
    ),
    ...matcher.exists.map((path) => fixed((message) => valueAt(message.json, path) !== undefined)),
    ...matcher.absent.map((path) =>
      // A message that is not JSON does not match.
      fixed(({ json }) => json !== undefined && valueAt(json, path) === undefined),
    ),
  ];
  const { contains, text, regex, binary } = matcher;
  if (contains !== null) {
    conditions.push(withValue(contains, (part) => (message) => message.text.includes(part)));
  }
  if (text !== null) {
    conditions.push(
      withValue(text, (all) => (message) => message.opcode === 1 && message.text === all),
    );
  }
  if (regex !== null) {
    const expression = new RegExp(regex);
    conditions.push(fixed((message) => expression.test(message.text)));
  }
  if (binary !== null) {
    const bytes = Buffer.from(binary, 'base64');
    conditions.push(fixed(({ opcode, data }) => opcode === 2 && data.equals(bytes)));
  }
  return all(conditions);
}

function fixed(predicate: Predicate): CompiledMatcher {
  return () => predicate;
}

function withValue(template: Template, make: (value: string) => Predicate): CompiledMatcher {
  const constant = template.every((part) => typeof part === 'string');
  if (constant) return fixed(make(render(template, NO_LOOKUP)));
  return (lookup) => make(render(template, lookup));
}

function all(conditions: readonly CompiledMatcher[]): CompiledMatcher {
  return (lookup) => {
    const predicates = conditions.map((condition) => condition(lookup));
    return (message) => predicates.every((predicate) => predicate(message));
  };
}

/** The value that `capture` takes from a message; undefined when it is not there. */
export function captured({ from }: Capture, message: IncomingMessage): unknown {
  if (from.kind === 'json') return valueAt(message.json, from.path);
  const match = new RegExp(from.source).exec(message.text);
  return typeof from.group === 'number' ? match?.[from.group] : match?.groups?.[from.group];
}
