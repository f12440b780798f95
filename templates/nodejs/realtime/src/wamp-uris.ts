/** How a URI stands for others: for itself, for all that start with it, or with empty components for any. */
export type Match = 'exact' | 'prefix' | 'wildcard';

/** What only the router itself registers and publishes. */
export function isReserved(uri: string): boolean {
  return uri.startsWith('wamp.');
}

/** The loose rules: components without spaces and `#`; empty ones stand for any in a pattern. */
export function isUri(uri: string, match: Match = 'exact'): boolean {
  const components = uri.split('.');
  const last = components.length - 1;
  return (
    uri !== '' &&
    components.every((component, index) => {
      if (component !== '') return !/[\s#]/.test(component);
      return match === 'wildcard' || (match === 'prefix' && index === last);
    })
  );
}

/** Whether all that `uri` stands for is among what `pattern` stands for. */
export function covers(pattern: string, by: Match, uri: string, match: Match): boolean {
  if (by === 'exact') return match === 'exact' && uri === pattern;
  const components = uri.split('.');
  if (by === 'prefix') {
    const open = match === 'wildcard' ? components.indexOf('') : -1;
    // Up to the first component that is left open.
    const fixed = open === -1 ? uri : components.slice(0, open).join('.') + (open > 0 ? '.' : '');
    return fixed.startsWith(pattern);
  }
  const parts = pattern.split('.');
  return (
    match !== 'prefix' &&
    parts.length === components.length &&
    parts.every((part, index) => part === '' || part === components[index])
  );
}

interface Node<Value> {
  /** By component, the empty one among them. */
  readonly next: Map<string, Node<Value>>;
  value?: Value | undefined;
}

/** Values by URIs and patterns of URIs. */
export class Patterns<Value> {
  readonly #exact = new Map<string, Value>();
  /** By length, longest first. */
  readonly #prefixes: { length: number; values: Map<string, Value> }[] = [];
  readonly #root: Node<Value> = { next: new Map() };

  get(uri: string, match: Match): Value | undefined {
    if (match === 'exact') return this.#exact.get(uri);
    if (match === 'prefix') {
      return this.#prefixes.find(({ length }) => length === uri.length)?.values.get(uri);
    }
    let node: Node<Value> | undefined = this.#root;
    for (const component of uri.split('.')) node = node?.next.get(component);
    return node?.value;
  }

  set(uri: string, match: Match, value: Value): void {
    if (match === 'exact') this.#exact.set(uri, value);
    else if (match === 'prefix') this.#prefixesOf(uri.length).set(uri, value);
    else {
      let node = this.#root;
      for (const component of uri.split('.')) {
        let next = node.next.get(component);
        if (next === undefined) node.next.set(component, (next = { next: new Map() }));
        node = next;
      }
      node.value = value;
    }
  }

  delete(uri: string, match: Match): void {
    if (match === 'exact') this.#exact.delete(uri);
    else if (match === 'prefix') {
      const index = this.#prefixes.findIndex(({ length }) => length === uri.length);
      const found = this.#prefixes[index];
      found?.values.delete(uri);
      if (found?.values.size === 0) this.#prefixes.splice(index, 1);
    } else this.#prune(this.#root, uri.split('.'));
  }

  /**
   * What stands for `uri`, in the order in which calls are routed: itself, the longest prefix, and of the
   * wildcards the one whose components are given furthest from the left.
   */
  matching(uri: string): Value[] {
    const found: Value[] = [];
    const exact = this.#exact.get(uri);
    if (exact !== undefined) found.push(exact);
    for (const { length, values } of this.#prefixes) {
      if (length > uri.length) continue;
      const value = values.get(uri.slice(0, length));
      if (value !== undefined) found.push(value);
    }
    if (this.#root.next.size > 0) this.#walk(this.#root, uri.split('.'), 0, found);
    return found;
  }

  #prefixesOf(length: number): Map<string, Value> {
    let index = this.#prefixes.findIndex((one) => one.length <= length);
    if (index === -1) index = this.#prefixes.length;
    const found = this.#prefixes[index];
    if (found?.length === length) return found.values;
    const values = new Map<string, Value>();
    this.#prefixes.splice(index, 0, { length, values });
    return values;
  }

  #walk(node: Node<Value>, components: readonly string[], depth: number, found: Value[]): void {
    const component = components[depth];
    if (component === undefined) {
      if (node.value !== undefined) found.push(node.value);
      return;
    }
    for (const way of [component, '']) {
      const next = node.next.get(way);
      if (next !== undefined) this.#walk(next, components, depth + 1, found);
    }
  }

  /** Forgets a value and what nobody needs any more; true if `node` is such. */
  #prune(node: Node<Value>, [component, ...others]: readonly string[]): boolean {
    if (component === undefined) node.value = undefined;
    else {
      const next = node.next.get(component);
      if (next !== undefined && this.#prune(next, others)) node.next.delete(component);
    }
    return node.value === undefined && node.next.size === 0;
  }
}
