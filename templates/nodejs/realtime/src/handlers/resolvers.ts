import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { GraphQLError } from 'graphql';
import { Broadcast } from '../broadcast.ts';
import type { Resolvers } from '../graphql-schema.ts';

interface Message {
  readonly id: string;
  readonly channel: string;
  readonly from: string;
  readonly text: string;
  readonly sentAt: string;
}

/** What is kept: messages of a channel, and channels. */
const MAX_MESSAGES = 100;
const MAX_CHANNELS = 1000;
const MAX_TEXT = 4096;

/** By channel; in this process, so several servers need a store and a broker that they share. */
const histories = new Map<string, Message[]>();
const sent = new Broadcast<Message>();

/** What is thrown here as a GraphQLError, the client reads; of any other error it reads that there is one. */
function refuse(message: string): never {
  throw new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });
}

async function* countdown(
  from: number,
  everyMs: number,
  gone: AbortSignal,
): AsyncGenerator<number, void> {
  for (let left = from; left >= 0 && !gone.aborted; left -= 1) {
    yield left;
    if (left > 0) await delay(everyMs, undefined, { signal: gone }).catch(() => undefined);
  }
}

/** The fields of schema.graphql: those of Subscription return what is iterated, each value one event. */
export const resolvers: Resolvers = {
  Query: {
    messages: (_, { channel, last }: { channel: string; last: number }) =>
      last < 1 ? [] : (histories.get(channel) ?? []).slice(-last),
  },
  Mutation: {
    send: (_, { channel, text }: { channel: string; text: string }, { user }) => {
      if (!/^[\w.-]{1,64}$/.test(channel)) refuse('channel: expected 1 to 64 letters or digits');
      if (text.length > MAX_TEXT) refuse(`text: expected at most ${String(MAX_TEXT)} characters`);
      const sentAt = new Date().toISOString();
      const message: Message = { id: randomUUID(), channel, from: user, text, sentAt };
      const history = histories.get(channel) ?? [];
      // The channel that was quiet for the longest time is the first.
      histories.delete(channel);
      histories.set(channel, [...history, message].slice(-MAX_MESSAGES));
      const [quietest = channel] = histories.keys();
      if (histories.size > MAX_CHANNELS) histories.delete(quietest);
      sent.publish(channel, message);
      return message;
    },
  },
  Subscription: {
    messages: (_, { channel }: { channel: string }) => sent.subscribe(channel),
    countdown: (_, { from, everyMs }: { from: number; everyMs: number }) => {
      if (from < 0 || from > 1000) refuse('from: expected 0 to 1000');
      if (everyMs < 0 || everyMs > 60_000) refuse('everyMs: expected 0 to 60000');
      const gone = new AbortController();
      const values = countdown(from, everyMs, gone.signal);
      return {
        [Symbol.asyncIterator]() {
          return this;
        },
        next: () => values.next(),
        // A generator alone would end only when its pause is over; until then it counts.
        return: () => {
          gone.abort();
          return values.return();
        },
      };
    },
  },
};
