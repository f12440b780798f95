import { UsageError } from '../core/errors.ts';
import type { Feature, GenerateServerInput } from './schema.ts';

/** Whether a project in a folder or one self-contained file comes out. */
export type Form = 'project' | 'file';

/** Everything the content of the generated files depends on; nothing of where they go. */
export interface Answers {
  readonly language: GenerateServerInput['language'];
  readonly type: GenerateServerInput['type'];
  readonly form: Form;
  /** Base name of the single file; in a project unused. */
  readonly fileName: string;
  readonly name: string;
  readonly port: number;
  readonly compression: GenerateServerInput['compression'];
  readonly serverNoContextTakeover: boolean;
  readonly subprotocols: readonly string[];
  readonly features: readonly Feature[];
  /** Bytes. */
  readonly maxPayload: number;
  /** Milliseconds. */
  readonly pingInterval: number;
}

/** Where the files go, as far as the answers depend on it. */
export interface OutputForm {
  readonly form: Form;
  /** Last part of the output path. */
  readonly baseName: string;
}

const FEATURES: readonly Feature[] = ['rooms', 'presence', 'history'];

/**
 * Makes the answers of an input: fills in the name, orders the features.
 *
 * @throws UsageError WSK_ERR_INVALID_INPUT for a combination that makes no sense
 */
export function resolveAnswers(input: GenerateServerInput, output: OutputForm): Answers {
  checkFeatures(input);
  const { language, type, port, compression, serverNoContextTakeover } = input;
  return {
    language,
    type,
    form: output.form,
    fileName: output.baseName,
    name: input.name ?? packageName(output.baseName),
    port,
    compression,
    serverNoContextTakeover,
    subprotocols: [...new Set(input.subprotocols)],
    features: FEATURES.filter((feature) => input.features.includes(feature)),
    maxPayload: input.maxPayload,
    pingInterval: input.pingInterval,
  };
}

function checkFeatures({ type, features }: GenerateServerInput): void {
  const [first] = features;
  if (type === 'echo' && first !== undefined) {
    throw new UsageError('WSK_ERR_INVALID_INPUT', `an echo server has no feature ${first}`, {
      hint: 'use --type chat',
    });
  }
  const dependent = features.filter((feature) => feature !== 'rooms');
  if (dependent.length > 0 && !features.includes('rooms')) {
    const list = ['rooms', ...dependent].join(',');
    throw new UsageError(
      'WSK_ERR_INVALID_INPUT',
      `${dependent.join(' and ')} ${dependent.length > 1 ? 'need' : 'needs'} rooms`,
      { hint: `use --features ${list}` },
    );
  }
}

/** A valid package name that looks like `baseName`. */
function packageName(baseName: string): string {
  const name = baseName
    .replace(/\.[cm]?js$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 214);
  return name === '' ? 'websocket-server' : name;
}
