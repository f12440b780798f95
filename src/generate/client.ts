import { invalidInput } from '../core/errors.ts';
import { VERSION } from '../core/version.ts';
import { formatHeader, formatManifest, MANIFEST_FILE } from '../target/project/manifest.ts';
import type { ClientManifest, Project } from '../target/project/manifest.ts';
import { hostName, packageName, TYPE_FEATURES } from './answers.ts';
import type { Feature, Form, OutputForm } from './answers.ts';
import { BASE_FILE, formatBase } from './base.ts';
import { CLIENT_LANGUAGES } from './languages/index.ts';
import type { ClientLanguageName } from './languages/index.ts';
import { PROTOCOLS } from './languages/language.ts';
import type { ClientLanguage, ProtocolName } from './languages/language.ts';
import { hashesOf, readAsset, readTemplate, renderTemplate, sortedByPath } from './template.ts';

/** The types of server whose clients speak one family of messages, and are held to its contract. */
export const CLIENT_TYPES = ['chat', 'pubsub', 'live-updates'] as const;
export type ClientType = (typeof CLIENT_TYPES)[number];
/** The types of server that there are clients for. */
export const ALL_CLIENT_TYPES = [...CLIENT_TYPES, 'collab', 'rpc'] as const;
export type AnyClientType = (typeof ALL_CLIENT_TYPES)[number];

/** The protocols of others that there are clients for, in each language. */
export const CLIENT_PROTOCOLS = [
  'graphql-ws',
  'json-rpc',
  'wamp.2.json',
] as const satisfies readonly ProtocolName[];
export type ClientProtocol = (typeof CLIENT_PROTOCOLS)[number];

/** Names for what every client has. */
export const COMMON_CLIENT_FEATURES = ['auto-reconnect', 'heartbeat', 'message-queue'] as const;

/** The language of a client where none is chosen. */
export const CLIENT_LANGUAGE = 'typescript';

/** The folder of `templates/<language>/` that every client is made of. */
const TEMPLATE = 'client';
/** Where a collab server has its documents. */
const COLLAB_PATH = '/collab';

export interface ClientChoices {
  readonly language?: ClientLanguageName | undefined;
  readonly type?: AnyClientType | undefined;
  readonly subprotocol?: ClientProtocol | undefined;
  readonly features?: readonly (Feature | (typeof COMMON_CLIENT_FEATURES)[number])[] | undefined;
  readonly react?: boolean | undefined;
  readonly url?: string | undefined;
  readonly name?: string | undefined;
}

/** Everything that the content of the generated files depends on, except where they go. */
export interface ClientAnswers {
  readonly language: ClientLanguageName;
  readonly type: AnyClientType;
  /** What an rpc client speaks. */
  readonly subprotocol?: ClientProtocol | undefined;
  readonly features: readonly Feature[];
  readonly react: boolean;
  readonly url: string;
  readonly name: string;
  readonly form: Form;
  /** Base name of the single file; unused in a project. */
  readonly fileName: string;
}

/**
 * Completes `choices` with what `server` speaks.
 *
 * @throws UsageError WSK_ERR_INVALID_INPUT for what there is not in the language, for features that no such
 * server has, and for choices that contradict the server
 */
export function resolveClientAnswers(
  choices: ClientChoices,
  output: OutputForm,
  server: Project | undefined,
): ClientAnswers {
  const spoken = server === undefined ? undefined : spokenBy(server, choices.subprotocol);
  const wanted = choices.subprotocol === undefined ? undefined : 'rpc';
  const type = choices.type ?? wanted ?? spoken?.type ?? 'chat';
  if (spoken !== undefined && type !== spoken.type) {
    throw invalidInput(`the server is of the type ${spoken.type}`, 'leave --type out');
  }
  const subprotocol = choices.subprotocol ?? spoken?.subprotocol;
  if ((type === 'rpc') !== (subprotocol !== undefined)) {
    const names = CLIENT_PROTOCOLS.join(' or ');
    throw type === 'rpc'
      ? invalidInput('an rpc client speaks one protocol', `name it: --subprotocol ${names}`)
      : invalidInput(`a ${type} client does not speak ${subprotocol ?? ''}`, 'leave --type out');
  }
  const name = choices.language ?? CLIENT_LANGUAGE;
  const language: ClientLanguage = CLIENT_LANGUAGES[name];
  checkOffered({ language: name, type, react: choices.react === true });
  const known = spoken?.features ?? TYPE_FEATURES[type];
  const named = (choices.features ?? []).filter((name) => !isCommon(name)) as Feature[];
  const wrong = named.find((feature) => !known.includes(feature));
  if (wrong !== undefined) {
    const subject = spoken === undefined ? `a ${type} server` : 'the server';
    throw invalidInput(`${subject} has no feature ${wrong}`, `leave ${wrong} out`);
  }
  if ((type === 'collab' || type === 'rpc') && choices.react === true) {
    throw invalidInput(`there are no React hooks for a ${type} client`, 'leave --react out');
  }
  return {
    language: name,
    type,
    ...(subprotocol !== undefined && { subprotocol }),
    features: TYPE_FEATURES[type].filter((one) => (spoken?.features ?? named).includes(one)),
    react: choices.react ?? false,
    url: choices.url ?? spoken?.url ?? `ws://localhost:8080${type === 'collab' ? COLLAB_PATH : ''}`,
    name: choices.name ?? packageName(output.baseName, language.file, `${type}-client`),
    form: output.form,
    fileName: output.baseName,
  };
}

/** @throws UsageError WSK_ERR_INVALID_INPUT for what clients in the language do not have */
function checkOffered({
  language,
  type,
  react,
}: Pick<ClientAnswers, 'language' | 'type' | 'react'>): void {
  const others = (offers: (other: ClientLanguage) => boolean): string =>
    Object.entries<ClientLanguage>(CLIENT_LANGUAGES)
      .filter(([, other]) => offers(other))
      .map(([name]) => name)
      .join(' or ');
  const { types, react: hasHooks }: ClientLanguage = CLIENT_LANGUAGES[language];
  if (!types.includes(type)) {
    throw invalidInput(
      `there is no ${type} client in ${language}`,
      `use --language ${others((other) => other.types.includes(type))}, or --type ${types.join(' or ')}`,
    );
  }
  if (react && !hasHooks) {
    throw invalidInput(
      `there are no React hooks in ${language}`,
      `leave --react out, or use --language ${others((other) => other.react)}`,
    );
  }
}

function isCommon(name: string): boolean {
  return COMMON_CLIENT_FEATURES.some((common) => common === name);
}

/** What a generated server speaks, as its manifest says; of several protocols the one that is `wanted`. */
function spokenBy(
  { manifest }: Project,
  wanted: ClientProtocol | undefined,
): Pick<ClientAnswers, 'type' | 'subprotocol' | 'features' | 'url'> {
  const { answers, contract } = manifest;
  const protocols = CLIENT_PROTOCOLS.filter((name) =>
    contract.subprotocols.includes(PROTOCOLS[name].token),
  );
  if (wanted !== undefined && !protocols.includes(wanted)) {
    throw invalidInput(`the server does not speak ${wanted}`, 'leave --subprotocol out');
  }
  const subprotocol = wanted ?? (manifest.type === 'rpc' ? protocols[0] : undefined);
  const type =
    subprotocol === undefined ? ALL_CLIENT_TYPES.find((one) => one === manifest.type) : 'rpc';
  if (type === undefined) {
    const types = ALL_CLIENT_TYPES.join(', ');
    throw invalidInput(
      `there is no client for a server of the type ${manifest.type}`,
      manifest.type === 'mcp'
        ? 'MCP has clients: give one a WebSocketClientTransport of websocket-skill/mcp'
        : `name a server of one of the types ${types}`,
    );
  }
  const path = type === 'collab' ? COLLAB_PATH : contract.path.replace(/^\/$/, '');
  const named = Array.isArray(answers['features']) ? (answers['features'] as unknown[]) : [];
  return {
    type,
    subprotocol,
    features: TYPE_FEATURES[type].filter((feature) => named.includes(feature)),
    url: `ws://localhost:${Number(answers['port'] ?? 8080)}${path}`,
  };
}

/** Generates the client that `answers` describe. The same answers always give the same bytes. */
export function generateClientFiles(answers: ClientAnswers): ReadonlyMap<string, string> {
  const { singleFile }: ClientLanguage = CLIENT_LANGUAGES[answers.language];
  const template = readTemplate(`${answers.language}/${TEMPLATE}`);
  const features: readonly string[] = [
    ...answers.features,
    ...(answers.react ? ['react'] : []),
    ...(answers.subprotocol === undefined ? [] : [PROTOCOLS[answers.subprotocol].marker]),
  ];
  const render = (files: ReadonlyMap<string, string>): Map<string, string> =>
    renderTemplate(files, answers.type, (name) => features.includes(name), {
      name: answers.name,
      hostName: hostName(answers.name),
      url: answers.url,
    });
  if (answers.form === 'file') {
    const header = formatHeader(manifestOf(answers, new Map()), singleFile.comment);
    const source = singleFile.source?.(template, answers.fileName, readAsset) ?? template;
    return new Map([[answers.fileName, `${header}\n${singleFile.text(render(source))}`]]);
  }
  const rendered = render(template);
  const manifest = formatManifest(manifestOf(answers, rendered));
  return sortedByPath([...rendered, [MANIFEST_FILE, manifest], [BASE_FILE, formatBase(rendered)]]);
}

/** Whether clients of the type are held to a contract. */
function hasContract(type: AnyClientType): boolean {
  return CLIENT_TYPES.some((one) => one === type);
}

/** A single file has nothing to install, build or drive. */
function manifestOf(
  answers: ClientAnswers,
  files: ReadonlyMap<string, string>,
): Omit<ClientManifest, 'commands'> & {
  readonly commands: Record<keyof ClientManifest['commands'], string[] | null>;
} {
  const { language, type, subprotocol, features, react, url, name } = answers;
  const isProject = answers.form === 'project';
  const { commands, rpcCommands, toolchain, installed }: ClientLanguage =
    CLIENT_LANGUAGES[language];
  const { install, build, test } = (type === 'rpc' && rpcCommands) || commands;
  return {
    generator: 'websocket-skill',
    kind: 'client',
    version: VERSION,
    language,
    type,
    answers: {
      language,
      type,
      ...(subprotocol !== undefined && { subprotocol }),
      name,
      features,
      react,
      url,
    },
    commands: isProject
      ? { install, build, test, driver: hasContract(type) ? commands.driver : null }
      : { install: null, build: null, test: null, driver: null },
    ...(toolchain !== undefined && { toolchain }),
    installed: isProject ? installed : [],
    files: hashesOf(files),
  };
}
