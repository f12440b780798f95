import { basename, extname } from 'node:path';
import type { ClientKind, Handler, Scenario, Step, Variable } from '../scenario.ts';
import { LocatedDocument } from '../../../core/located-document.ts';
import type { Path } from '../../../core/located-document.ts';
import { readCaptures, readMatcher } from './read-matcher.ts';
import { StepReader, readPayload } from './read-steps.ts';
import { readVariables } from './read-variables.ts';
import { Scope } from './scope.ts';
import { ClientShape, HandlerShape, RootShape } from './shapes.ts';

/**
 * Reads a scenario file and checks everything that can be checked without a connection.
 *
 * CSV files are read, relative to the folder of `fileName`. Throws `UsageError`
 * WSK_ERR_INVALID_INPUT with a line `file:line:column: what is wrong` for each fault.
 */
export function parseScenario(yamlText: string, fileName: string): Scenario {
  const document = new LocatedDocument(yamlText, fileName);
  const root = document.read(RootShape, document.value ?? undefined, []);
  document.throwIfFaulty();
  if (root === undefined) throw new Error('a root that cannot be read is a fault');
  const variables = readVariables(document, root.data ?? {});
  const clients = rawClients(document, root).flatMap(({ raw, path }, i) => {
    const client = readClient(document, { raw, path, variables, number: i + 1 });
    return client === undefined ? [] : [client];
  });
  checkNames(document, clients);
  document.throwIfFaulty();
  return { name: root.name ?? basename(fileName, extname(fileName)), variables, clients };
}

interface RawClient {
  readonly raw: unknown;
  readonly path: Path;
}

/** A scenario with one kind of client may have its steps at the top level. */
function rawClients(
  document: LocatedDocument,
  root: ReturnType<typeof RootShape.parse>,
): RawClient[] {
  const { clients, steps, on } = root;
  if ((clients === undefined) === (steps === undefined)) {
    const seen = clients === undefined ? 'neither clients nor steps' : 'clients and steps';
    document.fault([], `${seen}, expected one of the two`);
    return [];
  }
  if (clients === undefined)
    return [{ raw: on === undefined ? { steps } : { steps, on }, path: [] }];
  if (on !== undefined) document.keyFault(['on'], 'on belongs to one of the clients');
  if (clients.length === 0) document.fault(['clients'], 'clients are empty');
  return clients.map((raw, i) => ({ raw, path: ['clients', i] }));
}

function readClient(
  document: LocatedDocument,
  options: RawClient & { readonly variables: readonly Variable[]; readonly number: number },
): ClientKind | undefined {
  const { raw, path, variables, number } = options;
  const shape = document.read(ClientShape, raw, path);
  if (shape === undefined) return undefined;
  const stepsPath = [...path, 'steps'];
  const scope = new Scope(document, variables, capturesOf(document, shape.steps, stepsPath));
  const steps = readSteps(scope, shape.steps, stepsPath);
  const on = (shape.on ?? []).flatMap((handler, i) => {
    // Handlers may run before the steps capture a value.
    const own = new Scope(document, variables, new Map());
    const read = readHandler(own, handler, [...path, 'on', i]);
    return read === undefined ? [] : [read];
  });
  return { name: shape.name ?? `client ${number}`, weight: shape.weight, steps, on };
}

function readSteps(scope: Scope, list: readonly unknown[], path: Path): Step[] {
  const connects = (raw: unknown): boolean =>
    raw === 'connect' || (typeof raw === 'object' && raw !== null && 'connect' in raw);
  if (list.length === 0 || holds(list, connects)) return new StepReader(scope).read(list, path);
  // Without a connect step the connection is opened first.
  const reader = new StepReader(scope);
  const [first] = reader.read(['connect'], path.slice(0, -1));
  const rest = reader.read(list, path);
  return first === undefined ? rest : [first, ...rest];
}

/** Whether any raw step, loops included, fits. */
function holds(list: readonly unknown[], fits: (raw: unknown) => boolean): boolean {
  return list.some((raw) => fits(raw) || holds(loopSteps(raw), fits));
}

function loopSteps(raw: unknown): readonly unknown[] {
  const loop = fieldOf(raw, 'loop');
  const steps = fieldOf(loop, 'steps');
  return Array.isArray(steps) ? (steps as unknown[]) : [];
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

/** All captured names with their places: a name used too early is another fault than an unknown one. */
function capturesOf(
  document: LocatedDocument,
  list: readonly unknown[],
  path: Path,
): Map<string, string> {
  const captures = new Map<string, string>();
  for (const [i, raw] of list.entries()) {
    const capture = fieldOf(fieldOf(raw, 'expect'), 'capture');
    if (typeof capture === 'object' && capture !== null) {
      for (const name of Object.keys(capture)) {
        captures.set(name, document.at([...path, i, 'expect', 'capture', name]));
      }
    }
    const inner = capturesOf(document, loopSteps(raw), [...path, i, 'loop', 'steps']);
    for (const [name, at] of inner) if (!captures.has(name)) captures.set(name, at);
  }
  return captures;
}

function readHandler(scope: Scope, raw: unknown, path: Path): Handler | undefined {
  const shape = scope.document.read(HandlerShape, raw, path);
  if (shape === undefined) return undefined;
  const { name, capture, answer, ...condition } = shape;
  const match = readMatcher(scope, condition, path);
  const captures = readCaptures(scope, capture, [...path, 'capture']);
  return {
    at: scope.document.at(path),
    name: name ?? match.words,
    match,
    captures,
    answer: answer === undefined ? null : (readPayload(scope, answer, [...path, 'answer']) ?? null),
  };
}

function checkNames(document: LocatedDocument, clients: readonly ClientKind[]): void {
  const names = clients.map(({ name }) => name);
  for (const [i, name] of names.entries()) {
    if (names.indexOf(name) === i) continue;
    document.fault(['clients', i, 'name'], `a second client of the name ${JSON.stringify(name)}`);
  }
}
