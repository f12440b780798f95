import { defineOperation } from '../../core/operation.ts';
import { autobahnTest } from './autobahn-test.ts';
import { AutobahnTestInput, AutobahnTestReport } from './schema.ts';
import { viewAutobahnTest } from './view.ts';

/** `websocket-skill autobahn-test`. */
export const operation = defineOperation({
  examples: [
    'autobahn-test --url ws://localhost:8080',
    'autobahn-test --project echo-server.js --cases "1.*,7.*"',
    'autobahn-test --url ws://localhost:8080 --exclude "9.*,12.*,13.*" --fail-on non-strict',
    'autobahn-test --role client --port 9001 --spawn "node client.js"',
  ],
  input: AutobahnTestInput,
  output: AutobahnTestReport,
  view: viewAutobahnTest,
  run: autobahnTest,
});
