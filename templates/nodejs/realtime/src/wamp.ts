import { randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { ConfigError } from './config.ts';
import { log } from './log.ts';
// #if auth
import { readEnvironment } from './environment.ts';
// #endif
import type { Conversation, Peer, Protocol, ProtocolContext } from './protocol.ts';
import type { Procedure } from './wamp-procedures.ts';
import { Router } from './wamp-realm.ts';
import type { RealmSettings } from './wamp-realm.ts';
import { readRealms } from './wamp-realms.ts';
import { WampSession } from './wamp-session.ts';

/** Milliseconds for HELLO and for AUTHENTICATE. */
const HELLO_TIMEOUT_MS = 10_000;

/** The file of realms, as the server is built and as it is in its image. */
const REALMS_FILE = fileURLToPath(new URL('../../src/handlers/realms.yaml', import.meta.url));

/** WAMP version 2 in JSON: clients call each other, and hear what others publish. */
export class Wamp implements Protocol {
  readonly subprotocol = 'wamp.2.json';
  readonly #router: Router;

  constructor(
    procedures: readonly Procedure[],
    { config }: ProtocolContext,
    realms: ReadonlyMap<string, RealmSettings> = readRealms(
      config.REALMS_FILE ?? REALMS_FILE,
      // #if auth
      readEnvironment(),
      // #else
      //~ process.env,
      // #endif
    ),
  ) {
    const stray = procedures.find(({ realm }) => !realms.has(realm));
    if (stray !== undefined) {
      throw new ConfigError(`${stray.uri}: there is no realm ${stray.realm}`);
    }
    this.#router = new Router(realms, procedures, {
      limits: {
        subscriptions: config.MAX_SUBSCRIPTIONS_PER_SESSION,
        registrations: config.MAX_REGISTRATIONS_PER_SESSION,
        calls: config.MAX_CALLS_PER_CLIENT,
        total: config.MAX_WAMP_ENTRIES,
      },
      after,
      random: Math.random,
      newId,
      failed: (procedure, error) => {
        const trace = error instanceof Error ? error.stack : String(error);
        log('error', 'procedure-failed', { procedure, trace });
      },
      helloTimeout: HELLO_TIMEOUT_MS,
    });
  }

  accept(peer: Peer): Conversation {
    return new WampSession(this.#router, peer);
  }
}

/** 1 to 2^53: `randomInt` has 48 bits at most. */
function newId(): number {
  return randomInt(2 ** 26) * 2 ** 27 + randomInt(2 ** 27) + 1;
}

function after(ms: number, step: () => void): () => void {
  const timer = setTimeout(step, ms);
  return () => {
    clearTimeout(timer);
  };
}
