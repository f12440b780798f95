import { defineOperation } from '../../core/operation.ts';
import { Settings } from '../../core/settings.ts';
import { generateServer } from './generate-server.ts';
import { GenerateServerInput, GenerateServerReport } from './schema.ts';
import { viewGenerateServer } from './view.ts';

/** `generate-server`. */
export const operation = defineOperation({
  examples: [
    'generate-server --type echo --output echo-server.js',
    'generate-server --type chat --features rooms,presence,history --output chat-server/',
  ],
  input: GenerateServerInput,
  output: GenerateServerReport,
  defaults: (settings, given) => ({
    port: settings.defaultPort,
    // The default of the setting is that of an echo server.
    ...(settings.maxPayload !== Settings.parse({}).maxPayload && {
      maxPayload: settings.maxPayload,
    }),
    pingInterval: settings.pingInterval,
    compression: settings.compression.enabled || namesCompression(given['features']),
    serverNoContextTakeover: settings.compression.serverNoContextTakeover,
    subprotocols: settings.subprotocols,
  }),
  view: viewGenerateServer,
  run: generateServer,
});

/** Whether a list of features asks for compression, which then does not depend on the settings. */
function namesCompression(features: unknown): boolean {
  return Array.isArray(features) && features.includes('compression');
}
