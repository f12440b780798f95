import { describe, expect, it } from 'vitest';
import { ErrorTable, closeFailure, socketFailure } from '../../../../src/load/measure/errors.ts';

function systemError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`connect ${code}`), { code });
}

describe('socketFailure', () => {
  it.each([
    ['ECONNREFUSED', 'refused'],
    ['ECONNRESET', 'reset'],
    ['EPIPE', 'reset'],
    ['ETIMEDOUT', 'timeout'],
    ['ENOTFOUND', 'dns'],
    ['EAI_AGAIN', 'dns'],
    ['EADDRNOTAVAIL', 'ports'],
    ['EADDRINUSE', 'ports'],
    ['EMFILE', 'descriptors'],
    ['EIO', 'other'],
  ])('takes %s for %s', (code, kind) => {
    expect(socketFailure(systemError(code), false)).toMatchObject({ kind, detail: code });
  });

  it('takes what it does not know for TLS while that goes on', () => {
    const error = systemError('CERT_HAS_EXPIRED');
    expect(socketFailure(error, true).kind).toBe('tls');
    expect(socketFailure(error, false).kind).toBe('other');
  });
});

describe('ErrorTable', () => {
  it('counts by kind and detail and keeps the first example', () => {
    const table = new ErrorTable();
    table.add({ kind: 'status', detail: '503', text: 'first' });
    table.add({ kind: 'status', detail: '503', text: 'second' });
    table.add({ kind: 'status', detail: '429', text: 'other' });
    table.add(closeFailure(1011, 'boom'), 5);
    expect(table.rows()).toEqual([
      {
        kind: 'close',
        detail: '1011',
        count: 5,
        first: 'closed with 1011 (internal error), reason "boom"',
      },
      { kind: 'status', detail: '503', count: 2, first: 'first' },
      { kind: 'status', detail: '429', count: 1, first: 'other' },
    ]);
  });

  it('adds up with the rows of others', () => {
    const table = new ErrorTable();
    table.add({ kind: 'reset', detail: 'EPIPE', text: 'mine' });
    table.merge([{ kind: 'reset', detail: 'EPIPE', count: 2, first: 'theirs' }]);
    expect(table.rows()).toEqual([{ kind: 'reset', detail: 'EPIPE', count: 3, first: 'mine' }]);
  });
});
