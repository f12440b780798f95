import { invalidInput } from '../core/errors.ts';
import { LANGUAGES } from './languages/index.ts';
import type { LanguageName } from './languages/index.ts';
import type { ServerType } from './languages/language.ts';

/** What a chat server can have, in the order in which it is listed. */
export const FEATURES = ['rooms', 'presence', 'history'] as const;
export type Feature = (typeof FEATURES)[number];

/** Names for what is no part of its own: the heartbeat of every server, permessage-deflate. */
export const COMMON_FEATURES = ['ping-pong', 'compression'] as const;
type CommonFeature = (typeof COMMON_FEATURES)[number];

export const COMPRESSIONS = ['permessage-deflate', 'none'] as const;

/** Names that npm refuses. */
export const NO_PACKAGE_NAMES: readonly string[] = ['node_modules', 'favicon.ico'];

/** Bytes of the largest message where none is chosen. */
const MAX_PAYLOAD: Readonly<Record<ServerType, number>> = { echo: 104_857_600, chat: 65_536 };

/** Bytes that a chat server takes at most, whatever is chosen. */
export const MAX_CHAT_PAYLOAD = MAX_PAYLOAD.chat;

/** A project in a folder, or one self-contained file. */
export type Form = 'project' | 'file';

/** What a user can choose. */
export interface Choices {
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

/** Everything that the content of the generated files depends on, except where they go. */
export interface Answers extends Choices {
  readonly name: string;
  readonly features: readonly Feature[];
  readonly maxPayload: number;
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
 * Completes `choices`: fills in the name, orders the features and removes duplicates.
 *
 * @throws UsageError WSK_ERR_INVALID_INPUT for features that need others, another type or compression
 */
export function resolveAnswers(choices: Choices, output: OutputForm): Answers {
  checkFeatures(choices);
  const { language, type, port, compression, serverNoContextTakeover } = choices;
  return {
    language,
    type,
    form: output.form,
    fileName: output.baseName,
    name: choices.name ?? packageName(output.baseName, language),
    port,
    compression,
    serverNoContextTakeover,
    subprotocols: [...new Set(choices.subprotocols)],
    features: FEATURES.filter((feature) => choices.features.includes(feature)),
    maxPayload: choices.maxPayload ?? MAX_PAYLOAD[type],
    pingInterval: choices.pingInterval,
  };
}

function checkFeatures({ type, compression, features: named }: Choices): void {
  if (compression === 'none' && named.includes('compression')) {
    throw invalidInput(
      'the feature compression contradicts the compression none',
      'leave one of the two out',
    );
  }
  const features = FEATURES.filter((feature) => named.includes(feature));
  const [first] = features;
  if (type === 'echo' && first !== undefined) {
    throw invalidInput(`an echo server has no feature ${first}`, 'use --type chat');
  }
  const dependent = features.filter((feature) => feature !== 'rooms');
  if (dependent.length > 0 && !features.includes('rooms')) {
    throw invalidInput(
      `${dependent.join(' and ')} ${dependent.length > 1 ? 'need' : 'needs'} rooms`,
      `use --features ${['rooms', ...dependent].join(',')}`,
    );
  }
}

/** `baseName` turned into a valid package name. */
function packageName(baseName: string, language: LanguageName): string {
  const name = baseName
    .replace(LANGUAGES[language].singleFile.extension, '')
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 214);
  return name === '' || NO_PACKAGE_NAMES.includes(name) ? 'websocket-server' : name;
}
