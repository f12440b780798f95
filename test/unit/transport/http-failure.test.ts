import { describe, expect, it } from 'vitest';
import { quoteBytes } from '../../../src/transport/index.ts';

describe('quoteBytes', () => {
  it('quotes text on one line', () => {
    expect(quoteBytes(Buffer.from('no\r\nsuch path'))).toBe('"no\\r\\nsuch path"');
  });

  it('cuts long text', () => {
    expect(quoteBytes(Buffer.from('abcdef'), 3)).toBe('"abc..."');
  });

  it('shows anything else in hexadecimal', () => {
    expect(quoteBytes(Buffer.from([0x15, 0x03, 0x01, 0xff]))).toBe('0x150301ff');
  });
});
