import { z } from 'zod';
import { method } from '../json-rpc.ts';
import type { Methods } from '../json-rpc.ts';

/**
 * What clients may call, by name. A method that throws an `RpcError` answers with its code; what else it
 * throws is logged, and the client is told no more than "Internal error".
 */
export const methods: Methods = {
  add: method({
    params: z.strictObject({ a: z.number(), b: z.number() }),
    result: z.number(),
    handle: ({ a, b }) => a + b,
  }),

  /** Calls the client back: `peer` is the other end, until `signal` says that it has gone. */
  greet: method({
    params: z.strictObject({ greeting: z.string().max(100).default('Hello') }),
    result: z.string(),
    handle: async ({ greeting }, { peer }) => {
      const name = await peer.call('name', [], { result: z.string().max(100), timeoutMs: 5000 });
      return `${greeting}, ${name}!`;
    },
  }),
};
