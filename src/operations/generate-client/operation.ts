import { defineOperation } from '../../core/operation.ts';
import { generateClient } from './generate-client.ts';
import { GenerateClientInput, GenerateClientReport } from './schema.ts';
import { viewGenerateClient } from './view.ts';

/** `generate-client`. */
export const operation = defineOperation({
  examples: [
    'generate-client --type chat --features rooms,presence,history,resume --output chat-client/',
    'generate-client --server chat-server --react --output chat-client/',
    'generate-client --type pubsub --output client.js',
    'generate-client --server rpc-server --subprotocol json-rpc --output client/',
    'generate-client --language go --type chat --output client/',
    'generate-client --update chat-client/ --server chat-server --diff',
  ],
  input: GenerateClientInput,
  output: GenerateClientReport,
  // What is updated keeps its answers.
  defaults: (_, given) => (given['update'] === undefined ? { features: [], react: false } : {}),
  view: viewGenerateClient,
  run: generateClient,
});
