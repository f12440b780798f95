import { KeysUnavailable } from './auth.ts';
import type { Auth } from './auth.ts';
import type { Client } from './client.ts';
import type { Config } from './config.ts';
import type { Identity } from './hooks.ts';
// #if applications
import type { AuthCommand, CommonMessage } from './messages.ts';
// #endif

// #if applications
/** Milliseconds before its end at which a client is told that its token expires; half its life at most. */
const WARN_BEFORE_MS = 30_000;
// #endif
/** Milliseconds of the longest timer: a machine may sleep, a clock may be set, and 32 bits end at 25 days. */
const MAX_TIMER_MS = 3_600_000;

export interface CredentialsParts {
  readonly auth: Auth;
  readonly config: Config;
  // #if rate-limit
  /** Counts the connection for its user; false if it is one too many. */
  enter(user: string): boolean;
  // #if redis
  /** Asks what a user has elsewhere. */
  learn(user: string): Promise<void>;
  // #endif
  // #endif
  // #if applications
  /** The client has said who it is. */
  admit(id?: string): void | Promise<void>;
  /** It has said so anew: what it may do may have changed. */
  refresh(): void | Promise<void>;
  // #endif
  /** Counts an error of the client; false if it was closed over too many. */
  warn(): boolean;
}

/** Who a client is and for how long: from the first token to the end of the last one. */
export class Credentials {
  readonly #client: Client;
  readonly #parts: CredentialsParts;
  #isKnown = false;
  // #if applications
  #isWarned = false;
  // #endif
  /** What is waited for. */
  #moment = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(client: Client, parts: CredentialsParts) {
    this.#client = client;
    this.#parts = parts;
  }

  get isKnown(): boolean {
    return this.#isKnown;
  }

  // #if applications
  /** Starts with what the handshake said; without, asks. */
  async start(identity: Identity | undefined): Promise<void> {
    if (identity !== undefined) {
      await this.#admit(identity);
      return;
    }
    const timeoutMs = this.#parts.config.AUTH_TIMEOUT;
    this.#send({ type: 'auth-required', timeoutMs });
    this.#timer = setTimeout(() => {
      this.#client.close('authTimeout');
    }, timeoutMs).unref();
  }

  /** A client presents its first token, or a newer one. */
  async present({ id, token }: AuthCommand): Promise<void> {
    const checked = await this.#parts.auth.verify(token).catch((error: unknown) => {
      if (error instanceof KeysUnavailable) return error;
      throw error;
    });
    if (checked instanceof KeysUnavailable) {
      this.#postpone(checked, id);
      return;
    }
    // #if rate-limit && redis
    if (!this.#isKnown && 'identity' in checked) await this.#parts.learn(checked.identity.user);
    // #endif
    if (!this.#client.isOpen) return;
    const identity = 'identity' in checked ? checked.identity : undefined;
    const isOther = this.#isKnown && identity?.user !== this.#client.user;
    if (identity === undefined || isOther) {
      const why = 'why' in checked ? checked.why : 'of another user';
      this.#client.share.log('warn', 'token-refused', { client: this.#client.id, why });
      if (!this.#parts.warn()) return;
      // #if protocols
      // A protocol says so in its own way.
      if (this.#client.conversation !== undefined) return;
      // #endif
      this.#client.fail({ id }, 'bad_token', 'the token was refused');
      if (!this.#isKnown) this.#client.close('authFailed');
      return;
    }
    if (!this.#isKnown) {
      await this.#admit(identity, id);
      return;
    }
    this.#hold(identity);
    await this.#parts.refresh();
    const expiresAt = new Date(identity.expiresAt).toISOString();
    this.#send({ type: 'authenticated', id, expiresAt });
  }

  /** A token that cannot be checked now: one that was accepted before is good until it expires. */
  #postpone({ message: why, retryAfterMs }: KeysUnavailable, id: string | undefined): void {
    if (!this.#client.isOpen) return;
    this.#client.share.log('error', 'keys-unavailable', { client: this.#client.id, why });
    const message = 'tokens cannot be checked at the moment';
    this.#send({ type: 'error', id, code: 'unavailable', message, retryAfterMs });
    if (!this.#isKnown) this.#client.close('tryAgainLater');
  }

  // #else
  //~ /** Starts with what the handshake said; without, waits. */
  //~ start(identity: Identity | undefined): void {
  //~   if (identity !== undefined) {
  //~     this.#admit(identity);
  //~     return;
  //~   }
  //~   this.#timer = setTimeout(() => {
  //~     this.#client.close('authTimeout');
  //~   }, this.#parts.config.AUTH_TIMEOUT).unref();
  //~ }
  //~
  //~ /** A client presents its first token, or a newer one; its protocol tells it what came of that. */
  //~ async present(token: string): Promise<void> {
  //~   const checked = await this.#parts.auth.verify(token).catch((error: unknown) => {
  //~     if (error instanceof KeysUnavailable) return error;
  //~     throw error;
  //~   });
  //~   if (!this.#client.isOpen) return;
  //~   const { share, id: client } = this.#client;
  //~   if (checked instanceof KeysUnavailable) {
  //~     share.log('error', 'keys-unavailable', { client, why: checked.message });
  //~     // A token that was accepted before is good until it expires.
  //~     if (!this.#isKnown) this.#client.close('tryAgainLater');
  //~     return;
  //~   }
  //~   const identity = 'identity' in checked ? checked.identity : undefined;
  //~   const isOther = this.#isKnown && identity?.user !== this.#client.user;
  //~   if (identity === undefined || isOther) {
  //~     const why = 'why' in checked ? checked.why : 'of another user';
  //~     share.log('warn', 'token-refused', { client, why });
  //~     this.#parts.warn();
  //~   } else if (this.#isKnown) this.#hold(identity);
  //~   else this.#admit(identity);
  //~ }
  // #endif

  // #if wamp
  /** The client is known by the means of its protocol: it needs no token. */
  waive(): void {
    if (!this.#isKnown) clearTimeout(this.#timer);
  }

  // #endif
  /** The connection has ended. */
  end(): void {
    clearTimeout(this.#timer);
  }

  // #if applications
  async #admit(identity: Identity, id?: string): Promise<void> {
    // It may have been revoked while the answer to the handshake was on its way.
    if (this.#parts.auth.revocations.covers(identity)) {
      this.#client.close('revoked');
      return;
    }
    // #if rate-limit
    if (!this.#parts.enter(identity.user)) {
      this.#client.close('tooManyConnections');
      return;
    }
    // #endif
    this.#isKnown = true;
    this.#hold(identity);
    await this.#parts.admit(id);
  }

  #hold(identity: Identity): void {
    this.#client.identity = identity;
    const { expiresAt } = identity;
    const warnBefore = Math.min(WARN_BEFORE_MS, (expiresAt - this.#parts.auth.now()) / 2);
    this.#isWarned = false;
    this.#at(expiresAt - warnBefore);
  }

  /** Warns the client that its token expires, or closes it. */
  #expire(): void {
    const { expiresAt } = this.#client.identity;
    if (this.#isWarned) {
      this.#client.close('tokenExpired');
      return;
    }
    this.#isWarned = true;
    const expiresInMs = Math.max(0, Math.round(expiresAt - this.#parts.auth.now()));
    this.#send({ type: 'token-expiring', expiresInMs });
    this.#at(expiresAt);
  }
  // #else
  //~ #admit(identity: Identity): void {
  //~   // It may have been revoked while the answer to the handshake was on its way.
  //~   if (this.#parts.auth.revocations.covers(identity)) {
  //~     this.#client.close('revoked');
  //~     return;
  //~   }
  // #if rate-limit
  //~   if (!this.#parts.enter(identity.user)) {
  //~     this.#client.close('tooManyConnections');
  //~     return;
  //~   }
  // #endif
  //~   this.#isKnown = true;
  //~   this.#hold(identity);
  //~ }
  //~
  //~ #hold(identity: Identity): void {
  //~   this.#client.identity = identity;
  //~   this.#at(identity.expiresAt);
  //~ }
  //~
  //~ #expire(): void {
  //~   this.#client.close('tokenExpired');
  //~ }
  // #endif

  /** Calls `#expire` at a moment, milliseconds since 1970; what was planned before is dropped. */
  #at(moment: number): void {
    clearTimeout(this.#timer);
    this.#moment = moment;
    const left = moment - this.#parts.auth.now();
    if (left <= 0) {
      this.#expire();
      return;
    }
    // Whole minutes first, as Node keeps a list for each duration.
    const minutes = left - (left % 60_000);
    this.#timer = setTimeout(tick, Math.min(minutes || left, MAX_TIMER_MS), this).unref();
  }

  /** Goes on waiting. */
  tick(): void {
    this.#at(this.#moment);
  }
  // #if applications

  #send(message: CommonMessage): void {
    this.#client.send(message);
  }
  // #endif
}

function tick(credentials: Credentials): void {
  credentials.tick();
}
