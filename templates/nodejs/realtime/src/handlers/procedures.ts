import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { procedure, WampError } from '../wamp-procedures.ts';

/**
 * Procedures of this process, which clients call as they call those of other clients. What `args` does not
 * accept is answered with `wamp.error.invalid_argument`; throw a `WampError` for an error of your own. What
 * else is thrown is logged, and the caller gets `wamp.error.runtime_error` without details.
 */
export const procedures = [
  procedure({
    realm: 'realm1',
    uri: 'com.example.add',
    args: z.tuple([z.number(), z.number()]),
    run: ({ args: [a, b] }) => a + b,
  }),
  procedure({
    realm: 'realm1',
    uri: 'com.example.divide',
    args: z.tuple([z.number(), z.number()]),
    run: ({ args: [a, b] }) => {
      if (b === 0) throw new WampError('com.example.error.division_by_zero', [a]);
      return a / b;
    },
  }),
  // An example of a result in parts: 3, 2, 1 and then "done".
  procedure({
    realm: 'realm1',
    uri: 'com.example.countdown',
    args: z.tuple([z.int().min(1).max(100)]),
    run: async ({ args: [from], progress, signal }) => {
      for (let left = from; left > 0; left -= 1) {
        progress(left);
        await delay(10, undefined, { signal });
      }
      return 'done';
    },
  }),
];
