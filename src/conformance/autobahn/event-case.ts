import { Opcode } from '../../protocol/index.ts';
import type { EventScript, ExpectedEvent, Step } from '../case.ts';
import { clip } from '../result.ts';
import type { CaseEvent, ExpectedClose, ExpectedLabel } from '../result.ts';
import type { IncomingMessage } from '../wire/receiver.ts';
import { NOT_AS_EXPECTED } from './case-handler.ts';
import type { CaseHandler, HandlerVerdict, CaseProtocol } from './case-handler.ts';

/** What came, in full as far as it can matter. */
type Seen = ExpectedEvent & { readonly length?: number };

/** Events and bytes of a peer that are kept beyond those a case expects; the rest is counted. */
const EXTRA_EVENTS = 100;
const EXTRA_BYTES = 1024 * 1024;

/** Runs a list of steps and holds the list of what comes against those expected. */
export class EventCase implements CaseHandler {
  readonly expectedClose: ExpectedClose;
  readonly #script: EventScript;
  readonly #p: CaseProtocol;
  readonly #seen: Seen[] = [];
  readonly #mostEvents: number;
  /** Of payload that may still be kept. */
  #leftBytes: number;
  /** Events beyond what is kept. */
  #dropped = 0;

  constructor(script: EventScript, p: CaseProtocol) {
    this.#script = script;
    this.#p = p;
    this.expectedClose = script.close;
    const expected = Object.values(script.expect);
    this.#mostEvents = Math.max(...expected.map((events) => events.length)) + EXTRA_EVENTS;
    this.#leftBytes = Math.max(...expected.map(bytesOf)) + EXTRA_BYTES;
  }

  get received(): readonly CaseEvent[] {
    return this.#seen.map(describe);
  }

  start(): void {
    this.#run(0);
  }

  onMessage({ binary, payload, length }: IncomingMessage): void {
    this.#see({ type: 'message', binary, payload, length });
  }

  onPong(payload: Buffer): void {
    this.#see({ type: 'pong', payload: Buffer.from(payload) });
  }

  verdict(): HandlerVerdict {
    const label = this.#labels().find(([, events]) => this.#matches(events))?.[0];
    if (this.#script.ruling === 'fragments' && !this.#sentFragments()) {
      return {
        behavior: 'FAILED',
        result: 'The tester did not send the fragments it should have.',
      };
    }
    return label === undefined
      ? { behavior: 'FAILED', result: `${NOT_AS_EXPECTED}${this.#droppedNote()}` }
      : { behavior: label, result: 'Actual events match at least one expected.' };
  }

  #labels(): [ExpectedLabel, readonly ExpectedEvent[]][] {
    return Object.entries(this.#script.expect) as [ExpectedLabel, readonly ExpectedEvent[]][];
  }

  #matches(events: readonly ExpectedEvent[]): boolean {
    return (
      events.length === this.#seen.length + this.#dropped &&
      events.every((event, index) => isSame(event, this.#seen[index]))
    );
  }

  /** 10.1.1 is about the fragments the tester makes: one text frame and 50 continuations. */
  #sentFragments(): boolean {
    const { log } = this.#p;
    return log.framesSent(Opcode.text) === 1 && log.framesSent(Opcode.continuation) === 50;
  }

  #droppedNote(): string {
    return this.#dropped === 0 ? '' : ` ${this.#dropped} more events came than are kept.`;
  }

  #see(event: Seen): void {
    const bytes = event.type === 'timeout' ? 0 : event.payload.length;
    if (this.#seen.length >= this.#mostEvents || bytes > this.#leftBytes) {
      this.#dropped++;
      return;
    }
    this.#leftBytes -= bytes;
    this.#seen.push(event);
    // The finish rule: closes as soon as every list is fulfilled, so never with two of them.
    if (this.#script.suppressClose === true || !this.expectedClose.closedByMe) return;
    if (this.#labels().every(([, events]) => this.#matches(events))) {
      this.#p.close(this.expectedClose.closeCode[0]);
    }
  }

  #run(from: number): void {
    for (let index = from; index < this.#script.send.length; index++) {
      const step = this.#script.send[index] as Step;
      if (step.do !== 'wait') {
        this.#do(step);
        continue;
      }
      const next = index + 1;
      this.#p.continueAfter(step.delayS, step.tag, () => {
        if (step.recorded) {
          if (!this.#p.open) return;
          this.#seen.push({ type: 'timeout', tag: step.tag });
        }
        this.#run(next);
      });
      return;
    }
  }

  #do(step: Exclude<Step, { do: 'wait' }>): void {
    const p = this.#p;
    switch (step.do) {
      case 'frame':
        p.frame(step);
        return;
      case 'message':
        p.message(step);
        return;
      case 'close':
        p.close(step.code, step.reason);
        return;
      case 'header':
        p.header(step.opcode, step.fin, step.length);
        return;
      case 'payload':
        p.payload(step.payload);
        return;
      case 'kill':
        p.killAfter(step.delayS);
        return;
      case 'close-after':
        p.closeAfter(step.delayS);
        return;
    }
  }
}

/** Octets of payload in a list of events. */
export function bytesOf(events: readonly ExpectedEvent[]): number {
  return events.reduce(
    (bytes, event) => bytes + (event.type === 'timeout' ? 0 : event.payload.length),
    0,
  );
}

/** The octets of an expected event as a result keeps them. */
export function describe(event: Seen): CaseEvent {
  switch (event.type) {
    case 'message':
      return { type: 'message', binary: event.binary, payload: clip(event.payload, event.length) };
    case 'pong':
      return { type: 'pong', payload: clip(event.payload) };
    case 'timeout':
      return { type: 'timeout', tag: event.tag };
  }
}

function isSame(expected: ExpectedEvent, seen: Seen | undefined): boolean {
  switch (expected.type) {
    case 'timeout':
      return seen?.type === 'timeout' && seen.tag === expected.tag;
    case 'pong':
      return seen?.type === 'pong' && seen.payload.equals(expected.payload);
    case 'message':
      return (
        seen?.type === 'message' &&
        seen.binary === expected.binary &&
        seen.payload.equals(expected.payload)
      );
  }
}
