import { defineOperation } from '../../core/operation.ts';
import {
  TestInput,
  TestReport,
  ValidateHandshakeInput,
  ValidateHandshakeReport,
} from './schema.ts';
import { testEndpoint } from './test-endpoint.ts';
import { validateHandshake } from '../validate-handshake/validate-handshake.ts';
import { viewTest, viewValidateHandshake } from './view.ts';

/** `websocket-skill test`. */
export const testOperation = defineOperation({
  name: 'test',
  summary: 'Check one WebSocket server end to end and measure its latency',
  examples: [
    'test --url ws://localhost:8080',
    'test --url wss://example.org/chat --subprotocol chat.v1 --header "Authorization: Bearer t"',
    'test --project chat-server',
    'test --url ws://localhost:8080/admin --expect-status 401',
  ],
  input: TestInput,
  output: TestReport,
  defaults: (settings) => ({ maxPayload: settings.maxPayload }),
  view: viewTest,
  run: testEndpoint,
});

/** `websocket-skill validate-handshake`. */
export const validateHandshakeOperation = defineOperation({
  name: 'validate-handshake',
  summary: 'Hold a server, or captured heads, against every rule of the opening handshake',
  examples: [
    'validate-handshake --url ws://localhost:8080',
    'validate-handshake --request request.txt --response response.txt',
  ],
  input: ValidateHandshakeInput,
  output: ValidateHandshakeReport,
  view: viewValidateHandshake,
  run: validateHandshake,
});
