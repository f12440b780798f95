import { defineOperation } from '../../core/operation.ts';
import { Settings } from '../../core/settings.ts';
import { TestInput, TestReport } from './schema.ts';
import { testEndpoint } from './test.ts';
import { viewTest } from './view.ts';

/** `websocket-skill test`. */
export const operation = defineOperation({
  examples: [
    'test --url ws://localhost:8080',
    'test --url wss://example.org/chat --subprotocol chat.v1 --header "Authorization: Bearer t"',
    'test --project chat-server',
    'test --url ws://localhost:8080/admin --expect-status 401',
    'test --role client --contract chat --client "node driver.js {url}"',
  ],
  input: TestInput,
  output: TestReport,
  // The default of the setting is that of generated servers, and says nothing about others.
  defaults: ({ maxPayload }) =>
    maxPayload === Settings.parse({}).maxPayload ? {} : { maxPayload },
  view: viewTest,
  run: testEndpoint,
});
