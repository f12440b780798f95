import { EVENT, isId, Refusal } from './wamp-codec.ts';
import type { Dict, Payload } from './wamp-codec.ts';
import { flagOf, matchOf } from './wamp-limits.ts';
import type { Room } from './wamp-limits.ts';
import type { Member } from './wamp-member.ts';
import { isReserved, Patterns } from './wamp-uris.ts';
import type { Match } from './wamp-uris.ts';

/** What several sessions subscribe to: it has one id for all of them. */
export interface Subscription {
  readonly id: number;
  readonly uri: string;
  readonly match: Match;
  readonly subscribers: Set<Member>;
}

/** Sends what is published to who subscribed. */
export class Broker {
  readonly #subscriptions = new Patterns<Subscription>();
  readonly #byId = new Map<number, Subscription>();
  readonly #room: Room;
  readonly #newId: () => number;
  #lastId = 0;

  /** `newId` makes the ids of publications. */
  constructor(room: Room, newId: () => number) {
    this.#room = room;
    this.#newId = newId;
  }

  /** The id of the subscription; one that the session has already is named again. */
  subscribe(member: Member, uri: string, options: Dict): number {
    const match = matchOf(options);
    this.#room.checkUri(uri, match);
    member.role.check('subscribe', uri, match);
    let subscription = this.#subscriptions.get(uri, match);
    if (subscription?.subscribers.has(member) === true) return subscription.id;
    this.#room.take('subscriptions', member.subscriptions.size);
    if (subscription === undefined) {
      subscription = { id: (this.#lastId += 1), uri, match, subscribers: new Set() };
      this.#subscriptions.set(uri, match, subscription);
      this.#byId.set(subscription.id, subscription);
    }
    subscription.subscribers.add(member);
    member.subscriptions.add(subscription);
    return subscription.id;
  }

  unsubscribe(member: Member, id: number): void {
    const subscription = this.#byId.get(id);
    if (subscription?.subscribers.has(member) !== true) {
      throw new Refusal('wamp.error.no_such_subscription', 'there is none with this id');
    }
    this.#remove(member, subscription);
  }

  /** What a session publishes; the id of the publication. */
  publish(member: Member, topic: string, options: Dict, payload: Payload): number {
    this.#room.checkUri(topic);
    const isSilent = flagOf(options, 'exclude_me') ?? true;
    const isEligible = filterOf(options);
    const wish = flagOf(options, 'disclose_me') ?? false;
    const disclosed = member.role.discloses('publish', topic, wish);
    const details = disclosed ? member.disclosed('publisher') : {};
    return this.#send(topic, details, payload, (to) => {
      return !(isSilent && to === member) && isEligible(to);
    });
  }

  /** What this process publishes. */
  announce(topic: string, payload: Payload): number {
    return this.#send(topic, {}, payload, () => true);
  }

  leave(member: Member): void {
    for (const subscription of member.subscriptions) this.#remove(member, subscription);
  }

  #send(
    topic: string,
    details: Dict,
    payload: Payload,
    isFor: (member: Member) => boolean,
  ): number {
    const publication = this.#newId();
    const isMeta = isReserved(topic);
    for (const { id, uri, match, subscribers } of this.#subscriptions.matching(topic)) {
      // Events of the router are for those who ask for them by name.
      if (isMeta && !isReserved(uri)) continue;
      const about = match === 'exact' ? details : { ...details, topic };
      let text: string | undefined;
      for (const member of subscribers) {
        if (!isFor(member)) continue;
        text ??= JSON.stringify([EVENT, id, publication, about, ...payload]);
        member.outlet.sendText(text, 'event');
      }
    }
    return publication;
  }

  #remove(member: Member, subscription: Subscription): void {
    this.#room.give();
    member.subscriptions.delete(subscription);
    subscription.subscribers.delete(member);
    if (subscription.subscribers.size > 0) return;
    this.#subscriptions.delete(subscription.uri, subscription.match);
    this.#byId.delete(subscription.id);
  }
}

/** By which of its properties a session is named in a black- or whitelist. */
const LISTED: Readonly<Record<string, (member: Member) => unknown>> = {
  '': ({ id }) => id,
  _authid: ({ principal }) => principal.authid,
  _authrole: ({ principal }) => principal.authrole,
};

/** Who gets an event: nobody on a blacklist, and only who is on all whitelists. */
function filterOf(options: Dict): (member: Member) => boolean {
  const tests: ((member: Member) => boolean)[] = [];
  for (const [suffix, nameOf] of Object.entries(LISTED)) {
    for (const list of ['exclude', 'eligible']) {
      const names = options[list + suffix];
      if (names === undefined) continue;
      const isName = suffix === '' ? isId : (name: unknown) => typeof name === 'string';
      if (!Array.isArray(names) || !names.every(isName)) {
        throw new Refusal('wamp.error.invalid_argument', `${list}${suffix}: not such a list`);
      }
      const named = new Set<unknown>(names);
      const isListed = list === 'eligible';
      tests.push((member) => named.has(nameOf(member)) === isListed);
    }
  }
  return (member) => tests.every((test) => test(member));
}
