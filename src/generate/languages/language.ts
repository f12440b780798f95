import type { ClientManifest, Manifest } from '../../target/project/manifest.ts';

export const SERVER_TYPES = [
  'echo',
  'chat',
  'pubsub',
  'live-updates',
  'collab',
  'rpc',
  'mcp',
] as const;
export type ServerType = (typeof SERVER_TYPES)[number];

/** A protocol of others that a server can speak. */
export interface Protocol {
  /** Its name in the markers of templates. */
  readonly marker: string;
  /** What is negotiated. */
  readonly token: string;
  /** A text message that a server answers, and what the answer contains. */
  readonly probe: { readonly send: string; readonly expect: string };
  /** The protocol that it is an addition to. */
  readonly needs?: string;
}

/** By the names that `--subprotocols` has for them. Every other name is negotiated, and that is all. */
export const PROTOCOLS = {
  'graphql-ws': {
    marker: 'graphql',
    // The name is that of the library; the token of the same name is of an older protocol.
    token: 'graphql-transport-ws',
    probe: { send: '{"type":"ping"}', expect: '{"type":"pong"' },
  },
  'graphql-ws-legacy': {
    marker: 'graphql-legacy',
    token: 'graphql-ws',
    probe: { send: '{"type":"connection_init"}', expect: '{"type":"connection_' },
    needs: 'graphql-ws',
  },
  'json-rpc': {
    marker: 'jsonrpc',
    token: 'json-rpc',
    probe: { send: '{"jsonrpc":"2.0","id":"probe","method":"probe"}', expect: '"id":"probe"' },
  },
  mcp: {
    marker: 'mcp',
    token: 'mcp',
    probe: { send: '{"jsonrpc":"2.0","id":"probe","method":"ping"}', expect: '"id":"probe"' },
  },
  'wamp.2.json': {
    marker: 'wamp',
    token: 'wamp.2.json',
    probe: { send: '[1,"realm1",{"roles":{"caller":{}}}]', expect: '[2,' },
  },
} as const satisfies Record<string, Protocol>;
export type ProtocolName = keyof typeof PROTOCOLS;

/** What a server can have, in the order in which it is listed. */
export const FEATURES = [
  'rooms',
  'presence',
  'history',
  'resume',
  'auth',
  'rate-limit',
  'metrics',
  'redis',
] as const;
export type Feature = (typeof FEATURES)[number];

/** What the generator has to know of a language; the servers are in `templates/<language>/`. */
export interface Language {
  /** What builds and package managers leave in a template's folder. */
  readonly ignored: readonly string[];
  /** By type: the folder of `templates/<language>/` and how it is used. A type without one cannot be chosen. */
  readonly servers: Readonly<Partial<Record<ServerType, Server>>>;
  /** What its servers need on a machine besides this program. */
  readonly toolchain?: Manifest['toolchain'];
  readonly installed: Manifest['installed'];
  readonly listening: Manifest['listening'];
  /** Where a project has the tests of its protocol, which are run by Node. */
  readonly contractTests?: string;
  /** What a person types in the project's folder. */
  readonly next: readonly string[];
  /** The same for a server that also has a page to see it work. */
  readonly demo: string;
  readonly singleFile: SingleFile;
  /** A list of tokens (RFC 9110 section 5.6.2) as source text. */
  readonly tokenList: (tokens: readonly string[]) => string;
  readonly boolean: (value: boolean) => string;
}

/** A template, and what runs in the folder that it becomes. */
export interface Server {
  readonly template: string;
  readonly commands: Manifest['commands'];
  /** The protocols of others that it can speak. */
  readonly speaks?: readonly ProtocolName[];
}

/** An echo server in one file that needs no other. */
export interface SingleFile {
  /** Ends of file names by which an output path means a file. */
  readonly extension: RegExp;
  /** Its text, of the files of the echo template and of `dist/assets/`. */
  readonly text: (
    files: ReadonlyMap<string, string>,
    readAsset: (name: string) => string,
  ) => string;
  readonly comment: string;
  /** What a person types. */
  readonly start: (file: string) => string[];
  /** How a program runs it, where that is not what a person types; `start` ends with what `build` makes. */
  readonly built?: (file: string) => Pick<Manifest['commands'], 'build' | 'start'>;
  readonly note: string;
}

/** What the generator has to know of clients in a language. */
export interface ClientLanguage {
  /** A type that is not among them cannot be chosen. */
  readonly types: readonly ClientManifest['type'][];
  /** Whether there are React hooks. */
  readonly react: boolean;
  readonly commands: ClientManifest['commands'];
  /** What runs in the folder of an rpc client, if it is not the same. */
  readonly rpcCommands?: Pick<ClientManifest['commands'], 'install' | 'build' | 'test'>;
  readonly toolchain?: Manifest['toolchain'];
  readonly installed: Manifest['installed'];
  /** What a person types in the project's folder. */
  readonly next: readonly string[];
  /** Ends of file names by which an output path means one file. */
  readonly file: RegExp;
  /** A client in one file. */
  readonly singleFile: {
    readonly comment: string;
    /** The template that the file is made of, where it is not that of a project. */
    readonly source?: (
      template: ReadonlyMap<string, string>,
      fileName: string,
      readAsset: (name: string) => string,
    ) => ReadonlyMap<string, string>;
    /** Its text, of the files of a project. */
    readonly text: (files: ReadonlyMap<string, string>) => string;
  };
}
