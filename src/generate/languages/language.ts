import type { Manifest } from '../../target/project/manifest.ts';

export const SERVER_TYPES = ['echo', 'chat'] as const;
export type ServerType = (typeof SERVER_TYPES)[number];

/** What the generator has to know of a language; the servers are in `templates/<language>/`. */
export interface Language {
  /** What builds and package managers leave in a template's folder. */
  readonly ignored: readonly string[];
  readonly commands: Readonly<Record<ServerType, Manifest['commands']>>;
  readonly installed: Manifest['installed'];
  readonly listening: Manifest['listening'];
  /** What a person types in the project's folder. */
  readonly next: readonly string[];
  readonly singleFile: SingleFile;
  /** A list of tokens (RFC 9110 section 5.6.2) as source text. */
  readonly tokenList: (tokens: readonly string[]) => string;
}

/** An echo server in one file that needs no other. */
export interface SingleFile {
  /** Ends of file names by which an output path means a file. */
  readonly extension: RegExp;
  /** The file of the echo template it is made of. */
  readonly source: string;
  /** The file of `dist/assets/` that is appended: the libraries as source text. */
  readonly library: string;
  readonly comment: string;
  readonly start: (file: string) => string[];
  readonly note: string;
}
