import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { createLog } from '../src/log.ts';

describe('log', () => {
  it('writes no credentials and nothing that a terminal obeys', () => {
    let text = '';
    const output = new Writable({
      write(chunk: Buffer, _, done) {
        text += chunk.toString();
        done();
      },
    });
    const token = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl';
    const fields = {
      token: 'hush-1',
      headers: { authorization: 'hush-2' },
      message: `bad ${token}`,
    };
    createLog(output).warn({ ...fields, user: 'a\u009b31m\u202e' }, 'refused');
    assert.doesNotMatch(text, /hush|eyJ|[\u009b\u202e]/);
    const line = JSON.parse(text) as Record<string, unknown>;
    assert.deepEqual([line['level'], line['event']], ['warn', 'refused']);
    assert.ok(Date.parse(String(line['time'])) > 0);
  });

  it('waits for nobody who does not take its lines, and keeps a bounded number of them', () => {
    const stuck = new Writable({ write: () => undefined });
    const log = createLog(stuck);
    for (let n = 0; n < 5000; n++) log.info({ text: 'x'.repeat(500) }, 'line');
    assert.ok(stuck.writableLength <= 1_048_576);
    stuck.destroy();
    log.info({}, 'afterwards');
  });
});
