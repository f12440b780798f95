import type * as z from 'zod';
import { defineOperation } from '../../core/operation.ts';
import { Settings } from '../../core/settings.ts';
import { DEFAULTS, isAcceptable } from '../../generate/answers.ts';
import { generateServer, languageOfName } from './generate-server.ts';
import { GenerateServerInput, GenerateServerReport } from './schema.ts';
import { viewGenerateServer } from './view.ts';

/** `generate-server`. */
export const operation = defineOperation({
  examples: [
    'generate-server --type echo --output echo-server.js',
    'generate-server --type chat --features rooms,presence,history --output chat-server/',
    'generate-server --update chat-server/ --features rooms,presence,history,auth --diff',
  ],
  input: GenerateServerInput,
  output: GenerateServerReport,
  defaults: (settings, given) => ({
    // What is updated keeps its answers.
    ...(given['update'] === undefined && newProject(settings, given)),
    ...(namesCompression(given['features']) && { compression: true }),
  }),
  view: viewGenerateServer,
  run: generateServer,
});

function newProject(
  settings: Settings,
  given: Readonly<Record<string, unknown>>,
): z.input<typeof GenerateServerInput> {
  const language = languageOfName(String(given['output'])) ?? DEFAULTS.language;
  const chosen = GenerateServerInput.pick({ language: true, type: true }).safeParse({
    language: given['language'] ?? language,
    type: given['type'],
  });
  const { type = DEFAULTS.type, language: spoken = language } = chosen.data ?? {};
  const defaults = defaultsOf(settings);
  // The settings are for servers of every type.
  const subprotocols = settings.subprotocols.filter((name) =>
    isAcceptable(name, { type, language: spoken }),
  );
  return { ...defaults, language, subprotocols };
}

function defaultsOf(settings: Settings): z.input<typeof GenerateServerInput> {
  return {
    ...DEFAULTS,
    features: [],
    subprotocols: [],
    port: settings.defaultPort,
    // The default of the setting is that of an echo server.
    ...(settings.maxPayload !== Settings.parse({}).maxPayload && {
      maxPayload: settings.maxPayload,
    }),
    pingInterval: settings.pingInterval,
    compression: settings.compression.enabled,
    serverNoContextTakeover: settings.compression.serverNoContextTakeover,
  };
}

/** Whether a list of features asks for compression, which then does not depend on the settings. */
function namesCompression(features: unknown): boolean {
  return Array.isArray(features) && features.includes('compression');
}
