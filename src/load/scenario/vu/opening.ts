/** How a connection differs from what the target says. */
export interface Opening {
  readonly path: string | null;
  readonly query: readonly (readonly [string, string])[];
  readonly headers: readonly (readonly [string, string])[];
  readonly subprotocols: readonly string[];
}

/** The target with the path and the query of a connect step. */
export function urlOf(target: string, { path, query }: Opening): URL {
  const url = new URL(path ?? target, target);
  for (const [name, value] of query) url.searchParams.append(name, value);
  return url;
}
