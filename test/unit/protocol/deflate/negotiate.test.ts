import { describe, expect, it } from 'vitest';
import { acceptOffer, formatExtensions, parseExtensions } from '../../../../src/protocol/index.ts';
import type { DeflateSupport } from '../../../../src/protocol/index.ts';

/** The response to offers, without the name of the extension; undefined when all are declined. */
function accept(offers: string, support: DeflateSupport = {}): string | undefined {
  const parsed = parseExtensions(offers);
  if (!parsed.ok) throw new Error(parsed.flaw);
  const accepted = acceptOffer(parsed.extensions, support);
  return accepted && formatExtensions([accepted.response]);
}

const PMD = 'permessage-deflate';

describe('acceptOffer', () => {
  it.each<[string, DeflateSupport, string | undefined]>([
    [PMD, {}, PMD],
    [`${PMD}; client_max_window_bits`, {}, PMD],
    [`${PMD}; server_max_window_bits=8`, {}, `${PMD}; server_max_window_bits=8`],
    [`${PMD}; client_max_window_bits=9`, {}, `${PMD}; client_max_window_bits=9`],
    [
      `${PMD}; server_no_context_takeover; client_no_context_takeover`,
      {},
      `${PMD}; server_no_context_takeover; client_no_context_takeover`,
    ],
    [PMD, { serverNoContextTakeover: true }, `${PMD}; server_no_context_takeover`],
    [PMD, { clientNoContextTakeover: true }, `${PMD}; client_no_context_takeover`],
    [PMD, { serverMaxWindowBits: 10 }, `${PMD}; server_max_window_bits=10`],
    [
      `${PMD}; server_max_window_bits=9`,
      { serverMaxWindowBits: 10 },
      `${PMD}; server_max_window_bits=9`,
    ],
    [
      `${PMD}; client_max_window_bits`,
      { clientMaxWindowBits: 10 },
      `${PMD}; client_max_window_bits=10`,
    ],
    [
      `${PMD}; client_max_window_bits=12`,
      { clientMaxWindowBits: 10 },
      `${PMD}; client_max_window_bits=10`,
    ],
    [PMD, { clientMaxWindowBits: 10 }, undefined],
    ['x-other', {}, undefined],
    [`x-other, ${PMD}`, {}, PMD],
  ])('answers %s with what a server wants: %j', (offers, support, response) => {
    expect(accept(offers, support)).toBe(response);
  });

  it('declines offers that break a rule and takes the next', () => {
    const bad = [
      'foo',
      'server_max_window_bits',
      'server_max_window_bits=16',
      'server_no_context_takeover=1',
    ];
    for (const params of bad) {
      expect(accept(`${PMD}; ${params}`)).toBeUndefined();
      expect(accept(`${PMD}; ${params}, ${PMD}`)).toBe(PMD);
    }
  });
});
