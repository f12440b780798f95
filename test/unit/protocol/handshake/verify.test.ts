import { describe, expect, it } from 'vitest';
import {
  HeadDecoder,
  createRequest,
  createResponse,
  verifyRequest,
  verifyResponse,
} from '../../../../src/protocol/index.ts';
import type { RequestInit, ServerTraits } from '../../../../src/protocol/index.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

/** Both verdicts on a handshake between our own sides. */
function shake(init: Partial<RequestInit>, traits: ServerTraits) {
  const request = createRequest({ url: 'ws://localhost/', key: KEY, ...init }).head;
  const asServer = verifyRequest(request, traits);
  if (!asServer.ok) throw new Error(asServer.violation.message);
  const decoder = new HeadDecoder('response');
  decoder.receive(createResponse({ request, ...asServer }));
  const response = decoder.head();
  if (response === undefined) throw new Error('no response');
  const asClient = verifyResponse(response, request);
  if (!asClient.ok) throw new Error(asClient.violation.message);
  return { asServer, asClient };
}

describe('verifyRequest and verifyResponse', () => {
  it('choose the subprotocol that the server prefers', () => {
    const { asServer, asClient } = shake(
      { protocols: ['a', 'b', 'c'] },
      { protocols: ['x', 'c', 'a'] },
    );
    expect([asServer.protocol, asClient.protocol]).toEqual(['c', 'c']);
  });

  it('go on without a subprotocol or compression when there is none in common', () => {
    const { asServer, asClient } = shake(
      { protocols: ['a'], extensions: 'permessage-deflate' },
      { protocols: ['b'] },
    );
    for (const agreed of [asServer, asClient]) {
      expect(agreed).toMatchObject({ protocol: null, deflate: undefined, extensions: '' });
    }
  });

  const OFFERS = [
    'permessage-deflate',
    'permessage-deflate; client_max_window_bits',
    'permessage-deflate; client_max_window_bits=9; server_max_window_bits=10',
    'permessage-deflate; client_max_window_bits=8; server_no_context_takeover',
    'permessage-deflate; client_no_context_takeover, permessage-deflate',
    'permessage-deflate; foo, permessage-deflate; server_max_window_bits=8',
  ];
  const SUPPORTS = [
    {},
    { serverNoContextTakeover: true },
    { clientNoContextTakeover: true, serverMaxWindowBits: 11 },
  ];

  it.each(OFFERS.flatMap((offer) => SUPPORTS.map((support) => [offer, support] as const)))(
    'agree on what the client and the server keep to: %s, %j',
    (extensions, deflate) => {
      const { asServer, asClient } = shake({ extensions }, { deflate });
      expect(asServer.deflate).toBeDefined();
      // A client may keep to less than the server knows of, never to more.
      const { clientMaxWindowBits, ...rest } = asServer.deflate ?? { clientMaxWindowBits: 0 };
      expect(asClient.deflate).toMatchObject(rest);
      expect(asClient.deflate?.clientMaxWindowBits).toBeLessThanOrEqual(clientMaxWindowBits);
    },
  );

  it('refuse a handshake for the first fatal rule it breaks', () => {
    const headers = [
      ['Upgrade', 'h2c'],
      ['Sec-WebSocket-Version', '8'],
      ['Origin', 'x'],
    ] as const;
    const request = createRequest({ url: 'ws://localhost/', key: KEY, headers }).head;
    expect(verifyRequest(request)).toMatchObject({ ok: false, violation: { code: 'WSK_UPGRADE' } });
    const response = new HeadDecoder('response');
    response.receive(Buffer.from('HTTP/1.1 404 Not Found\r\n\r\n'));
    const head = response.head();
    expect(head && verifyResponse(head, request)).toMatchObject({
      ok: false,
      violation: { code: 'WSK_RESPONSE_STATUS', message: '404 Not Found, expected 101' },
    });
  });

  it('let a strange origin and a bad offer pass, because those are not for the protocol to refuse', () => {
    const { asServer } = shake(
      { headers: [['Origin', 'http://a/path']], extensions: 'permessage-deflate; foo' },
      { deflate: {} },
    );
    expect(asServer.deflate).toBeUndefined();
    const failed = asServer.rules.filter(({ verdict }) => verdict === 'fail');
    expect(failed.map(({ id }) => id)).toEqual(['request-origin', 'request-deflate-names']);
  });
});
