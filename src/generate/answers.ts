import { invalidInput } from '../core/errors.ts';
import { LANGUAGES } from './languages/index.ts';
import type { LanguageName } from './languages/index.ts';
import { FEATURES, PROTOCOLS, SERVER_TYPES } from './languages/language.ts';
import type {
  Feature,
  Language,
  Protocol,
  ProtocolName,
  Server,
  ServerType,
} from './languages/language.ts';

export { FEATURES };
export type { Feature };

/** The features that a server of a type can have. */
export const TYPE_FEATURES: Readonly<Record<ServerType, readonly Feature[]>> = {
  echo: [],
  chat: FEATURES,
  pubsub: ['history', 'resume', 'auth', 'rate-limit', 'metrics', 'redis'],
  'live-updates': ['resume', 'auth', 'rate-limit', 'metrics', 'redis'],
  collab: ['auth', 'rate-limit', 'metrics', 'redis'],
  rpc: ['auth', 'rate-limit', 'metrics'],
  mcp: ['auth', 'rate-limit', 'metrics'],
};

/** What a feature needs besides, of a server that can have it. */
const NEEDS: Readonly<Partial<Record<Feature, readonly Feature[]>>> = {
  presence: ['rooms'],
  history: ['rooms'],
  resume: ['history'],
  // Who may have missed something has to be told.
  redis: ['resume'],
};

/** The subprotocol that each type speaks, whatever else is negotiated. */
export const OWN_SUBPROTOCOLS: Readonly<Record<ServerType, readonly string[]>> = {
  echo: [],
  chat: ['chat.v1'],
  pubsub: ['pubsub.v1'],
  'live-updates': ['live-updates.v1'],
  // The second is for who speaks the protocol of y-websocket alone, and offers a token besides.
  collab: ['collab.v1', 'y-websocket'],
  // It speaks one or more of those that are known by their names.
  rpc: [],
  mcp: ['mcp'],
};

/** Names for what is no part of its own: the heartbeat of every server, permessage-deflate. */
export const COMMON_FEATURES = ['ping-pong', 'compression'] as const;
type CommonFeature = (typeof COMMON_FEATURES)[number];

export const COMPRESSIONS = ['permessage-deflate', 'none'] as const;

/** Names that npm refuses. */
export const NO_PACKAGE_NAMES: readonly string[] = ['node_modules', 'favicon.ico'];

/** Bytes of the largest message where none is chosen. */
const MAX_PAYLOAD: Readonly<Record<ServerType, number>> = {
  echo: 104_857_600,
  chat: 65_536,
  pubsub: 65_536,
  'live-updates': 65_536,
  collab: 1_048_576,
  rpc: 1_048_576,
  mcp: 1_048_576,
};

/** Bytes that a server which takes commands only takes at most, whatever is chosen. */
export const MAX_COMMAND_BYTES = 65_536;

/** Whether messages to it are commands, which have a limit of their own. */
export function isOfCommands(type: ServerType): boolean {
  return type !== 'echo' && type !== 'collab' && !isOfProtocols(type);
}

/** Whether it speaks protocols of others, and no messages of its own. */
export function isOfProtocols(type: string): boolean {
  return type === 'rpc' || type === 'mcp';
}

/** A project in a folder, or one self-contained file. */
export type Form = 'project' | 'file';

/** What a user can choose. */
interface AllChoices {
  readonly language: LanguageName;
  readonly type: ServerType;
  readonly name?: string | undefined;
  readonly port: number;
  readonly compression: (typeof COMPRESSIONS)[number];
  readonly serverNoContextTakeover: boolean;
  readonly subprotocols: readonly string[];
  readonly features: readonly (Feature | CommonFeature)[];
  /** Bytes; undefined is the default of the type. */
  readonly maxPayload?: number | undefined;
  /** Milliseconds. */
  readonly pingInterval: number;
}

/** What a user has chosen; what is undefined has its default. */
export type Choices = { readonly [Name in keyof AllChoices]?: AllChoices[Name] | undefined };

export const DEFAULTS = {
  language: 'nodejs',
  type: 'echo',
  port: 8080,
  compression: 'permessage-deflate',
  serverNoContextTakeover: true,
  subprotocols: [],
  features: [],
  pingInterval: 30_000,
} as const satisfies AllChoices;

/** Everything that the content of the generated files depends on, except where they go. */
export interface Answers extends AllChoices {
  readonly name: string;
  readonly features: readonly Feature[];
  readonly maxPayload: number;
  /** What was decided beyond the choices, for the user. */
  readonly notes: readonly string[];
  readonly form: Form;
  /** Base name of the single file; unused in a project. */
  readonly fileName: string;
}

/** Where the files go, as far as the answers depend on it. */
export interface OutputForm {
  readonly form: Form;
  /** Last part of the output path. */
  readonly baseName: string;
}

/**
 * Completes `choices`: fills in defaults, the name and the features that others need, orders the
 * features and removes duplicates.
 *
 * @throws UsageError WSK_ERR_INVALID_INPUT for features that contradict the type or the compression
 */
export function resolveAnswers(given: Choices, output: OutputForm): Answers {
  const choices: AllChoices = { ...DEFAULTS, ...defined(given) };
  serverOf(choices);
  checkFeatures(choices);
  checkProtocols(choices);
  const { features, notes } = completeFeatures(choices);
  const { language, type, port, compression, serverNoContextTakeover } = choices;
  return {
    language,
    type,
    form: output.form,
    fileName: output.baseName,
    name:
      choices.name ??
      packageName(output.baseName, LANGUAGES[language].singleFile.extension, 'websocket-server'),
    port,
    compression,
    serverNoContextTakeover,
    subprotocols: withOwn(choices),
    features,
    notes,
    maxPayload: choices.maxPayload ?? MAX_PAYLOAD[type],
    pingInterval: choices.pingInterval,
  };
}

/** `choices` without those that are undefined. */
export function defined<Choices extends object>(
  choices: Choices,
): { [Name in keyof Choices]: Exclude<Choices[Name], undefined> } {
  const entries = Object.entries(choices).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as {
    [Name in keyof Choices]: Exclude<Choices[Name], undefined>;
  };
}

/** @throws UsageError WSK_ERR_INVALID_INPUT when there is no such server in the language */
export function serverOf({ language, type }: Pick<AllChoices, 'language' | 'type'>): Server {
  const { servers }: Language = LANGUAGES[language];
  const server = servers[type];
  if (server !== undefined) return server;
  const others = Object.entries<Language>(LANGUAGES).filter(([, other]) => type in other.servers);
  throw invalidInput(
    `there is no ${type} server in ${language}`,
    `use --language ${others.map(([name]) => name).join(' or ')}, or --type ${Object.keys(servers).join(' or ')}`,
  );
}

function checkFeatures({ type, compression, features: named }: AllChoices): void {
  if (compression === 'none' && named.includes('compression')) {
    throw invalidInput(
      'the feature compression contradicts the compression none',
      'leave one of the two out',
    );
  }
  const [wrong] = FEATURES.filter(
    (feature) => named.includes(feature) && !TYPE_FEATURES[type].includes(feature),
  );
  if (wrong !== undefined) {
    const [why, others] = [INSTEAD[type], SERVER_TYPES.filter(has(wrong)).join(' or ')];
    throw invalidInput(
      `${nameOf(type)} has no feature ${wrong}${why === undefined ? '' : `: ${why}`}`,
      type === 'echo' ? `use --type ${others}` : `leave ${wrong} out, or use --type ${others}`,
    );
  }
}

/** The features that a server of `type` can have in a language; none where it has no such server. */
export function offeredFeatures({ servers }: Language, type: ServerType): readonly Feature[] {
  return servers[type] === undefined ? [] : TYPE_FEATURES[type];
}

/** The protocols that a server speaks, the preferred one first. */
export function protocolsOf({
  type,
  subprotocols,
}: Pick<Answers, 'type' | 'subprotocols'>): ProtocolName[] {
  // An echo server gives back whatever is said.
  return type === 'echo' ? [] : subprotocols.filter(isProtocol);
}

/** What is negotiated for the names of `--subprotocols`. */
export function tokensOf(answers: Pick<Answers, 'type' | 'subprotocols'>): string[] {
  const spoken: readonly string[] = protocolsOf(answers);
  return answers.subprotocols.map((name) =>
    isProtocol(name) && spoken.includes(name) ? PROTOCOLS[name].token : name,
  );
}

function isProtocol(name: string): name is ProtocolName {
  return Object.hasOwn(PROTOCOLS, name);
}

/** Whether a server can be told to accept the subprotocol: it speaks it, or it is a name and no more. */
export function isAcceptable(
  name: string,
  { language, type }: Pick<AllChoices, 'language' | 'type'>,
): boolean {
  const { servers }: Language = LANGUAGES[language];
  return type === 'echo' || !isProtocol(name) || servers[type]?.speaks?.includes(name) === true;
}

/** @throws UsageError WSK_ERR_INVALID_INPUT for a protocol that only other servers speak */
function checkProtocols(choices: AllChoices): void {
  const { language, type, subprotocols } = choices;
  const wrong = subprotocols.find((name) => !isAcceptable(name, choices));
  if (wrong === undefined) return;
  const others = Object.entries<Language>(LANGUAGES).flatMap(([other, { servers }]) =>
    SERVER_TYPES.filter((name) => servers[name]?.speaks?.includes(wrong as ProtocolName)).map(
      (name) => `${name} in ${other}`,
    ),
  );
  throw invalidInput(
    `${nameOf(type)} in ${language} does not speak ${wrong}; these do: ${others.join(', ')}`,
    `leave ${wrong} out, or use --type and --language of one of them`,
  );
}

/** The names of the subprotocols, with those that every server of the type has. */
function withOwn({ type, subprotocols: named }: AllChoices): string[] {
  const isSilent = type === 'rpc' && !named.some(isProtocol);
  const needed = named.flatMap((name) => [...(needOf(name) ?? []), name]);
  return [...new Set([...needed, ...(isSilent ? ['json-rpc'] : OWN_SUBPROTOCOLS[type])])];
}

/** The protocol to which another is an addition; clients prefer it. */
function needOf(name: string): string[] | undefined {
  if (!isProtocol(name)) return undefined;
  const { needs }: Protocol = PROTOCOLS[name];
  return needs === undefined ? undefined : [needs];
}

/** Why a type does without the features of others. */
const INSTEAD: Readonly<Partial<Record<ServerType, string>>> = {
  pubsub: 'its topics are its rooms',
  'live-updates': 'each document has its own watchers and patches',
  collab: 'its documents have their own history, and say who is there',
  rpc: 'its protocols have their own',
  mcp: 'each client has a server of its own',
};

function has(feature: Feature): (type: ServerType) => boolean {
  return (type) => TYPE_FEATURES[type].includes(feature);
}

function nameOf(type: ServerType): string {
  return `${/^(?:echo|rpc|mcp)$/.test(type) ? 'an' : 'a'} ${type} server`;
}

function completeFeatures({
  type,
  features: named,
}: AllChoices): Pick<Answers, 'features' | 'notes'> {
  const chosen = new Set(FEATURES.filter((feature) => named.includes(feature)));
  const notes: string[] = [];
  if (type === 'live-updates') {
    if (chosen.has('resume')) notes.push('resume is a part of every live-updates server');
    chosen.add('resume');
  }
  // A set that grows is gone through to its end.
  for (const feature of chosen) {
    for (const needed of NEEDS[feature] ?? []) {
      if (chosen.has(needed) || !has(needed)(type)) continue;
      chosen.add(needed);
      notes.push(`${feature} needs ${needed}, which was added`);
    }
  }
  return { features: FEATURES.filter((feature) => chosen.has(feature)), notes };
}

/** `baseName` without `extension`, turned into a valid package name; `otherwise` if nothing is left. */
export function packageName(baseName: string, extension: RegExp, otherwise: string): string {
  const name = baseName
    .replace(extension, '')
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 214);
  return name === '' || NO_PACKAGE_NAMES.includes(name) ? otherwise : name;
}

/** `name` as a label of a host name (RFC 1123 section 2.1) that starts with a letter, as Kubernetes wants it. */
export function hostName(name: string): string {
  const label = name.replace(/[^a-z0-9]+/g, '-').replace(/^[^a-z]+/, '');
  return label.slice(0, 63).replace(/-+$/, '') || 'server';
}
