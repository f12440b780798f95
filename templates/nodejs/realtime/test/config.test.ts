import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { CLOSE_CODES } from '../src/close-codes.ts';
// #if applications
import { ERROR_CODES } from '../src/messages.ts';
// #endif
import { ConfigError, describeConfig, readConfig } from '../src/config.ts';

describe('config', () => {
  it('names every wrong setting, what was read and what is expected', () => {
    assert.throws(
      () => readConfig({ PORT: '70000', COMPRESSION: 'gzip' }),
      (error) =>
        error instanceof ConfigError &&
        /PORT is "70000": expected an integer from 0 to 65535/.test(error.message) &&
        /COMPRESSION is "gzip": /.test(error.message),
    );
  });

  it('shows only the start of a wrong value, and nothing of another setting in it', () => {
    for (const [value, shown] of [
      ['9000AUTH_SECRET=hush', '"9000…"'],
      ['9000\nhush', '"9000…"'],
      ['DB_KEY = hush', '"…"'],
      [`${'x'.repeat(32)}hush`, `"${'x'.repeat(32)}…"`],
    ] as const) {
      assert.throws(
        () => readConfig({ PORT: value }),
        ({ message }: Error) => message.startsWith(`PORT is ${shown}: `) && !/hush/.test(message),
      );
    }
  });

  it('takes origins only as browsers send them', () => {
    const origins = 'https://a.example,http://b.example:8443';
    assert.deepEqual(readConfig({ ALLOWED_ORIGINS: origins }).ALLOWED_ORIGINS, origins.split(','));
    for (const origin of ['*', 'a.example', 'https://a.example/', 'https://a.example:443']) {
      assert.throws(() => readConfig({ ALLOWED_ORIGINS: origin }), ConfigError, origin);
    }
  });

  it('names both of two limits that contradict each other, and fits what nobody set', () => {
    const contradictions = [
      { MAX_CONNECTIONS: '3', MAX_CONNECTIONS_PER_IP: '4' },
      { MAX_BUFFERED: '50000', MEMORY_BUDGET: '65536' },
      // #if rooms
      { MAX_ROOMS: '3', MAX_ROOMS_PER_IP: '4' },
      // #endif
      // #if presence
      { MAX_BUFFERED: '16384', MAX_ROOM_MEMBERS: '100' },
      // #endif
      // #if history
      { MAX_BUFFERED: '16384', HISTORY_BYTES: '16384' },
      // #endif
      // #if pubsub
      { MAX_STREAMS: '3', MAX_STREAMS_PER_IP: '4' },
      { MAX_SUBSCRIPTIONS: '100000', MEMORY_BUDGET: '268435456' },
      // #endif
      // #if rooms
      // #if history
      { MAX_ROOMS: '5000', HISTORY_BYTES: '131072', MEMORY_BUDGET: '1000000000' },
      // #endif
      { MAX_ROOMS: '1000000', MEMORY_BUDGET: '268435456' },
      // #endif
    ];
    for (const env of contradictions) {
      const names = new RegExp(
        Object.keys(env)
          .map((name) => `(?=.*${name})`)
          .join(''),
      );
      assert.throws(() => readConfig({ MAX_PAYLOAD: '1024', ...env }), names);
    }
    assert.equal(readConfig({ MAX_CONNECTIONS: '3' }).MAX_CONNECTIONS_PER_IP, 3);
    // #if history
    const fitting = { MEMORY_BUDGET: '131072', HISTORY_BYTES: '8192' };
    // #if rooms
    assert.equal(readConfig(fitting).MAX_ROOMS, 8);
    assert.equal(readConfig({ MAX_ROOMS: '2000' }).HISTORY_BYTES, 67_108);
    // #endif
    // #if pubsub
    assert.equal(readConfig(fitting).MAX_STREAMS, 8);
    assert.equal(readConfig({ MAX_STREAMS: '2000' }).HISTORY_BYTES, 67_108);
    // #endif
    assert.equal(readConfig({}).HISTORY_BYTES, 131_072);
    // #endif
  });

  it('takes an empty variable for an unset one', () => {
    assert.deepEqual(readConfig({ PORT: '', HOST: '' }), readConfig({}));
  });

  it('is described by --help and README, setting by setting', () => {
    const readme = readFileSync('README.md', 'utf8');
    for (const name of Object.keys(readConfig({ HOST: 'localhost' }))) {
      assert.match(describeConfig(), new RegExp(`^ {2}${name} `, 'm'));
      assert.ok(readme.includes(`\`${name}\``), `README.md does not mention ${name}`);
    }
  });
});

describe('README', () => {
  const readme = readFileSync('README.md', 'utf8');

  // #if applications
  it('documents every error code', () => {
    for (const code of Object.keys(ERROR_CODES)) {
      assert.ok(readme.includes(`\`${code}\``), `README.md does not mention ${code}`);
    }
  });

  // #endif
  it('documents every close code', () => {
    for (const { code } of Object.values(CLOSE_CODES)) {
      assert.ok(
        readme.includes(`| ${String(code)} `),
        `README.md does not mention ${String(code)}`,
      );
    }
  });
});
