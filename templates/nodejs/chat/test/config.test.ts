import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { CLOSE_CODES } from '../src/close-codes.ts';
import { ERROR_CODES } from '../src/messages.ts';
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
    ];
    for (const env of contradictions) {
      const [first = '', second = ''] = Object.keys(env);
      const names = new RegExp(`(?=.*${first})(?=.*${second})`);
      assert.throws(() => readConfig({ MAX_PAYLOAD: '1024', ...env }), names);
    }
    assert.equal(readConfig({ MAX_CONNECTIONS: '3' }).MAX_CONNECTIONS_PER_IP, 3);
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

  it('documents every error code', () => {
    for (const code of Object.keys(ERROR_CODES)) {
      assert.ok(readme.includes(`\`${code}\``), `README.md does not mention ${code}`);
    }
  });

  it('documents every close code', () => {
    for (const { code } of Object.values(CLOSE_CODES)) {
      assert.ok(
        readme.includes(`| ${String(code)} `),
        `README.md does not mention ${String(code)}`,
      );
    }
  });
});
