import type { Subscription } from './wamp-broker.ts';
import type { Dict, Message } from './wamp-codec.ts';
import { isDict } from './wamp-codec.ts';
import type { Call, Registration } from './wamp-dealer.ts';
import type { Role } from './wamp-roles.ts';

/** Who a session is. */
export interface Principal {
  readonly authid: string;
  readonly authrole: string;
  readonly authmethod: string;
  readonly authprovider: string;
}

/** How a session is reached: its connection, or the procedures of this process. */
export interface Outlet {
  send(message: Message): void;
  /** Sends an encoded message, so that an event is encoded once. */
  sendText(text: string, kind: string): void;
  /** Ends the session with GOODBYE. */
  leave(reason: string, details?: Dict): void;
}

/** A session in a realm, and what broker and dealer hold for it. */
export class Member {
  readonly id: number;
  readonly principal: Principal;
  readonly role: Role;
  readonly outlet: Outlet;
  readonly subscriptions = new Set<Subscription>();
  readonly registrations = new Set<Registration>();
  /** Calls under way by their request, and those that it is to answer by their invocation. */
  readonly calls = new Map<number, Call>();
  readonly invocations = new Map<number, Call>();
  /** Whether it can be interrupted. */
  readonly canCancel: boolean;
  /** Part of this process: it may know who calls. */
  readonly isOwn: boolean;
  lastInvocation = 0;

  constructor(id: number, principal: Principal, role: Role, outlet: Outlet, roles?: Dict) {
    this.id = id;
    this.principal = principal;
    this.role = role;
    this.outlet = outlet;
    this.isOwn = roles === undefined;
    const callee = roles?.['callee'];
    const features = isDict(callee) && isDict(callee['features']) ? callee['features'] : {};
    this.canCancel = this.isOwn || features['call_canceling'] === true;
  }

  /** What is disclosed of it, under the keys of a caller or a publisher. */
  disclosed(as: 'caller' | 'publisher'): Dict {
    const { authid, authrole } = this.principal;
    return { [as]: this.id, [`${as}_authid`]: authid, [`${as}_authrole`]: authrole };
  }
}
