import { Malformed } from './yjs-messages.ts';
import type { AwarenessState } from './yjs-messages.ts';

/** Milliseconds after which a state is gone that nobody has renewed, as in y-protocols. */
const OUTDATED_MS = 30_000;
/** States that one connection may bring: a browser passes those of its other tabs on. */
const MAX_STATES = 64;
const GONE = 'null';

/** Who has brought a state: a connection or, without a user, another server. */
export interface Bringer {
  readonly user?: string | undefined;
  // #if redis
  /** Whether it is another server. */
  readonly isElsewhere?: boolean;
  // #endif
}

interface Known extends AwarenessState {
  readonly by: Bringer;
  readonly at: number;
}

/** Who is there and where, by the number of each client of a document, as y-protocols has it. */
export class Awareness {
  readonly #maxBytes: number;
  readonly #known = new Map<number, Known>();

  /** `maxBytes`: of one state. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get states(): readonly AwarenessState[] {
    return [...this.#known.values()].filter(({ json }) => json !== GONE);
  }

  /** Takes states that are newer than what is known; those it has taken. @throws {Malformed} too large */
  take(states: readonly AwarenessState[], by: Bringer, limit = MAX_STATES): AwarenessState[] {
    let own = 0;
    for (const known of this.#known.values()) if (known.by === by) own += 1;
    return states.filter((state) => {
      if (Buffer.byteLength(state.json) > this.#maxBytes) throw new Malformed('too much awareness');
      const known = this.#known.get(state.id);
      if (known === undefined && (state.json === GONE || own >= limit)) return false;
      if (known !== undefined && !isNewer(state, known)) return false;
      if (known !== undefined && isOfAnother(known.by, by)) return false;
      if (known?.by !== by) own += 1;
      this.#known.set(state.id, { ...state, by, at: performance.now() });
      return true;
    });
  }

  // #if redis
  /** The states that connections of this server have brought. */
  get own(): readonly AwarenessState[] {
    return [...this.#known.values()].filter(
      ({ json, by }) => json !== GONE && by.isElsewhere !== true,
    );
  }

  // #endif
  /** Its connection has ended: the states that are gone with it. */
  leave(by: Bringer): AwarenessState[] {
    return this.#remove((known) => known.by === by);
  }

  /** Call it every few seconds: the states that nobody has renewed. */
  sweep(): AwarenessState[] {
    const oldest = performance.now() - OUTDATED_MS;
    for (const [id, known] of this.#known) {
      if (known.json === GONE && known.at < oldest) this.#known.delete(id);
    }
    return this.#remove((known) => known.at < oldest);
  }

  /** What is gone is remembered for a while: others may still send it. */
  #remove(isGone: (known: Known) => boolean): AwarenessState[] {
    const gone = [...this.#known.values()].filter((one) => one.json !== GONE && isGone(one));
    return gone.map(({ id, clock, by }) => {
      this.#known.set(id, { id, clock, json: GONE, by, at: performance.now() });
      return { id, clock, json: GONE };
    });
  }
}

/** A client that has come back is one of the same user. */
function isOfAnother(known: Bringer, by: Bringer): boolean {
  return known.user !== undefined && by.user !== undefined && known.user !== by.user;
}

function isNewer(state: AwarenessState, known: AwarenessState): boolean {
  if (state.clock !== known.clock) return state.clock > known.clock;
  return state.json === GONE && known.json !== GONE;
}
