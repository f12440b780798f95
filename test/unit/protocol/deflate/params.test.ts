import { describe, expect, it } from 'vitest';
import { parseDeflate, toExtension } from '../../../../src/protocol/deflate/params.ts';
import {
  formatExtensions,
  parseExtensions,
} from '../../../../src/protocol/http/extension-header.ts';

function parse(text: string, from: 'request' | 'response') {
  const parsed = parseExtensions(`permessage-deflate; ${text}`);
  const [extension] = parsed.ok ? parsed.extensions : [];
  if (extension === undefined) throw new Error(text);
  return parseDeflate(extension, from);
}

describe('parseDeflate', () => {
  it('reads all four parameters', () => {
    expect(
      parse(
        'server_no_context_takeover; client_no_context_takeover; server_max_window_bits=8; client_max_window_bits="15"',
        'response',
      ),
    ).toEqual({
      flaws: [],
      params: {
        serverNoContextTakeover: true,
        clientNoContextTakeover: true,
        serverMaxWindowBits: 8,
        clientMaxWindowBits: 15,
      },
    });
  });

  it('lets client_max_window_bits stand without a value in an offer alone', () => {
    expect(parse('client_max_window_bits', 'request')).toMatchObject({
      flaws: [],
      params: { clientMaxWindowBits: true },
    });
    expect(parse('client_max_window_bits', 'response').flaws).toMatchObject([{ kind: 'value' }]);
  });

  it('names each flaw with the parameter that has it', () => {
    expect(parse('foo=1; server_max_window_bits=16; foo', 'request').flaws).toEqual([
      { kind: 'unknown', text: '"foo=1"' },
      { kind: 'value', text: '"server_max_window_bits=16"' },
      { kind: 'repeated', text: '"foo"' },
    ]);
  });
});

describe('toExtension', () => {
  it('writes what parseDeflate reads', () => {
    for (const text of [
      'client_max_window_bits',
      'server_no_context_takeover; client_max_window_bits=9',
    ]) {
      const { params } = parse(text, 'request');
      expect(formatExtensions([toExtension(params)])).toBe(`permessage-deflate; ${text}`);
    }
    expect(formatExtensions([toExtension({})])).toBe('permessage-deflate');
  });
});
