import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createApplications } from '../src/application.ts';
import type { Context } from '../src/application.ts';
import { describeMessages, toYaml } from '../src/asyncapi.ts';
import { readConfig } from '../src/config.ts';

it('describes every command and message of the server', () => {
  const config = readConfig({});
  const [application] = createApplications({ config } as Context);
  const text = JSON.stringify(describeMessages(application, 80));
  for (const name of ['client.ping', 'server.welcome', 'server.error', 'server.draining']) {
    assert.ok(text.includes(`"#/components/messages/${name}"`), name);
  }
  // #if chat
  assert.ok(text.includes('"#/channels/socket/messages/client.message"'));
  // #endif
  assert.ok(text.includes('"goingAway":{"code":1001'));
});

it('writes YAML', () => {
  const value = { a: [1, { b: 'x: "y"' }, []], 'c/d': null, e: {} };
  const lines = [
    '',
    'a:',
    '  - 1',
    '  -',
    '    b: "x: \\"y\\""',
    '  - []',
    '"c/d": null',
    'e: {}',
    '',
  ];
  assert.equal(toYaml(value), lines.join('\n'));
});
