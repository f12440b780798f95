import { didYouMean } from '../../../core/did-you-mean.ts';
import { TemplateError, jsonTemplate, referencesOf, textTemplate } from '../template.ts';
import type { Template, Variable } from '../scenario.ts';
import type { LocatedDocument, Path } from '../../../core/located-document.ts';
import { BUILT_IN_VARIABLES, columnFault, isVariableName } from './read-variables.ts';

/** The variables that are defined at the present step while a client is read. */
export class Scope {
  readonly document: LocatedDocument;
  readonly #variables: ReadonlyMap<string, Variable>;
  /** Captured by an earlier step. */
  readonly #captured = new Set<string>();
  /** Captured by any step of the client, with its place. */
  readonly #captures: ReadonlyMap<string, string>;

  constructor(
    document: LocatedDocument,
    variables: readonly Variable[],
    captures: ReadonlyMap<string, string>,
  ) {
    this.document = document;
    this.#variables = new Map(variables.map((variable) => [variable.name, variable]));
    this.#captures = captures;
  }

  /** Defines a captured variable; false after reporting a fault. */
  declare(name: string, path: Path): boolean {
    if (!isVariableName(this.document, name, path)) return false;
    if (this.#variables.has(name)) {
      this.document.keyFault(path, `${name} is already a variable of data, expected another name`);
      return false;
    }
    this.#captured.add(name);
    return true;
  }

  /** Takes names as defined. */
  assume(names: readonly string[]): void {
    for (const name of names) this.#captured.add(name);
  }

  text(text: string, path: Path): Template {
    return this.#checked(() => textTemplate(text), path);
  }

  json(value: unknown, path: Path): Template {
    return this.#checked(() => jsonTemplate(value), path);
  }

  #checked(make: () => Template, path: Path): Template {
    try {
      const template = make();
      for (const { name, path: keys } of referencesOf(template)) this.#check(name, keys[0], path);
      return template;
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      this.document.fault(path, error.message);
      return [];
    }
  }

  #check(name: string, key: string | number | undefined, path: Path): void {
    const variable = this.#variables.get(name);
    if (variable !== undefined) {
      const fault = columnFault(variable, key);
      if (fault === undefined) return;
      this.document.fault(path, `{{${name}.${String(key)}}} has no value`, fault);
      return;
    }
    if (this.#captured.has(name) || BUILT_IN_VARIABLES.some((builtIn) => builtIn === name)) return;
    const captured = this.#captures.get(name);
    if (captured !== undefined) {
      this.document.fault(path, `{{${name}}} is used before it is captured, at ${captured}`);
      return;
    }
    const known = [...this.#variables.keys(), ...this.#captures.keys(), ...BUILT_IN_VARIABLES];
    this.document.fault(path, `unknown variable {{${name}}}`, didYouMean(name, known));
  }
}
