import { defineOperation } from '../../core/operation.ts';
import { ValidateHandshakeInput, ValidateHandshakeReport } from './schema.ts';
import { validateHandshake } from './validate-handshake.ts';
import { viewValidateHandshake } from './view.ts';

/** `websocket-skill validate-handshake`. */
export const operation = defineOperation({
  examples: [
    'validate-handshake --url ws://localhost:8080',
    'validate-handshake --request request.txt --response response.txt',
  ],
  input: ValidateHandshakeInput,
  output: ValidateHandshakeReport,
  view: viewValidateHandshake,
  run: validateHandshake,
});
