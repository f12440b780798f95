/** The entries of the engine's threads. */
export interface ThreadSources {
  readonly worker: string;
  readonly pacer: string;
}

/**
 * The URLs of the compiled entries; in the bundle, which is one file, this module is replaced by
 * one that holds their text.
 */
export function threadSources(): ThreadSources {
  // Tests run the TypeScript sources, which a thread of Node 20 cannot.
  const folder = import.meta.url.endsWith('.ts') ? '../../../dist/src/load/' : '../';
  const entry = (name: string): string => new URL(`${folder}${name}.js`, import.meta.url).href;
  return { worker: entry('run/worker-entry'), pacer: entry('pacing/pacer') };
}
