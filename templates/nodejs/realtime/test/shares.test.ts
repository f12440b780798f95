import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addressKey } from '../src/shares.ts';

describe('addresses', () => {
  it('count once, however they are written', () => {
    const forms = {
      '192.0.2.1': [
        '192.0.2.1',
        ' 192.0.2.1:4711',
        '[192.0.2.1]:80',
        '::ffff:192.0.2.1',
        '::FFFF:c000:0201',
        '0:0:0:0:0:ffff:192.0.2.1',
        '[::ffff:192.0.2.1]:443',
        '::ffff:192.0.2.1%eth0',
      ],
      '2001:db8:0:0::/64': [
        '2001:db8::1',
        '2001:0DB8:0000::ffff:0:0:2',
        '[2001:db8::3]:80',
        '"[2001:db8::3]:80"',
        '[2001:db8::3]',
        '2001:db8::4%eth0.1',
        '[2001:db8::4%1]:9',
        '2001:db8::192.0.2.1',
      ],
      '2001:db8:0:1::/64': ['2001:db8:0:1::1'],
      '0:0:0:0::/64': ['::', '::1'],
    };
    for (const [key, texts] of Object.entries(forms)) {
      for (const text of texts) assert.equal(addressKey(text), key, text);
    }
  });

  it('that are none count as one', () => {
    const texts = [
      undefined,
      '',
      'unknown',
      '_hidden',
      'garbage',
      '192.0.2',
      '192.0.2.256',
      '192.0.02.1',
      '0300.0.2.1',
      '0xc0.0.2.1',
      '3221225985',
      '192.0.2.1:',
      '192.0.2.1:123456',
      '192.0.2.1%eth0',
      '2001:db8::1::2',
      '2001:db8::12345',
      '[2001:db8::1',
      '[2001:db8::1]:x',
      '2001:db8::1%',
      '2001:db8::1/64',
      '2001:db8::1%a%b',
    ];
    for (const text of texts) {
      assert.equal(addressKey(text), 'unknown', text);
    }
  });
});
