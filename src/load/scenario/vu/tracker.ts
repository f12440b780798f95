import type { ErrorTable, Failure } from '../../measure/errors.ts';
import { Counter, add } from '../../measure/counters.ts';
import type { PhaseCounters, WorkerCounters } from '../../measure/counters.ts';
import { Histogram } from '../../measure/histogram.ts';
import type { ExpectStep, Scenario } from '../scenario.ts';
import { allSteps } from './assign.ts';
import type { LabelCounts } from './results.ts';

/** Nanoseconds in a millisecond. */
const NS = 1e6;

/** A message that was sent and has a reply coming. */
export interface Trip {
  readonly sentMs: number;
  /** How much later than due it was sent, because its pass began late. */
  readonly lateMs: number;
  /** Still waited for. */
  open: boolean;
}

interface Label {
  count: number;
  failed: number;
  readonly service: Histogram;
  readonly response: Histogram;
}

/** What the clients of one thread sent and got: `sent = received + lost + outstanding`. */
export class VuTracker {
  /** Start of the measured phase: what was due before is warm-up. */
  measureMs = Infinity;
  inFlight = 0;
  readonly iterations = { started: 0, completed: 0, failed: 0 };
  readonly total = { sent: 0, received: 0 };
  readonly unasked = new Map<string, number>();
  readonly #counters: WorkerCounters;
  readonly #errors: ErrorTable;
  readonly #labels = new Map<string, Label>();
  /** Whether passes have a schedule: response and lateness mean something. */
  readonly #scheduled: boolean;

  constructor(options: {
    scenario: Scenario;
    counters: WorkerCounters;
    errors: ErrorTable;
    scheduled: boolean;
  }) {
    this.#counters = options.counters;
    this.#errors = options.errors;
    this.#scheduled = options.scheduled;
    for (const { steps, on } of options.scenario.clients) {
      for (const { name } of on) this.unasked.set(name, 0);
      for (const step of allSteps(steps)) {
        if (step.kind === 'expect' && step.label !== null) this.#labelOf(step.label);
      }
    }
  }

  phaseOf(ms: number): PhaseCounters {
    return ms < this.measureMs ? this.#counters.warmup : this.#counters.measure;
  }

  isMeasured(ms: number): boolean {
    return ms >= this.measureMs;
  }

  /** Notes a message with a reply; `delayMs` of its lateness is the generator's own. */
  send(sentMs: number, lateMs: number, delayMs: number | null): Trip {
    const phase = this.phaseOf(sentMs - lateMs);
    add(phase.counts, Counter.intended, 1);
    add(phase.counts, Counter.sent, 1);
    if (delayMs !== null) phase.lateness.record(delayMs * NS);
    this.inFlight += 1;
    return { sentMs, lateMs, open: true };
  }

  /** Notes messages that were due and that nobody sent. */
  unsent(dueMs: number, messages: number): void {
    const { counts } = this.phaseOf(dueMs);
    add(counts, Counter.intended, messages);
    add(counts, Counter.unsent, messages);
  }

  /** Notes the reply to `trip`; whether it counts for the measured phase. */
  answer(trip: Trip, atMs: number): boolean {
    const phase = this.#settle(trip);
    add(phase.counts, Counter.received, 1);
    phase.service.record((atMs - trip.sentMs) * NS);
    if (this.#scheduled) phase.response.record((atMs - trip.sentMs + trip.lateMs) * NS);
    return phase === this.#counters.measure;
  }

  lose(trip: Trip, failure: Failure): void {
    const phase = this.#settle(trip);
    add(phase.counts, Counter.lost, 1);
    if (phase === this.#counters.measure) this.#errors.add(failure);
  }

  #settle(trip: Trip): PhaseCounters {
    trip.open = false;
    this.inFlight -= 1;
    return this.phaseOf(trip.sentMs - trip.lateMs);
  }

  /** Notes that `step` was met by a message that came at `atMs`. */
  met(step: ExpectStep, from: { sentMs: number; lateMs: number }, atMs: number): void {
    const { sentMs, lateMs } = from;
    if (step.label === null || !this.#counts(step, sentMs - lateMs)) return;
    const label = this.#labelOf(step.label);
    label.count += 1;
    label.service.record((atMs - sentMs) * NS);
    if (this.#scheduled) label.response.record((atMs - sentMs + lateMs) * NS);
  }

  /** Notes that `step` was not met, or not as it should. */
  failed(
    step: ExpectStep,
    from: { sentMs: number; lateMs: number },
    failure: Failure | null,
  ): void {
    if (!this.#counts(step, from.sentMs - from.lateMs)) return;
    if (step.label !== null) this.#labelOf(step.label).failed += 1;
    if (failure !== null) this.#errors.add(failure);
  }

  /** Notes a message that nobody expected, or with content that is wrong, at the time it came. */
  wrong(failure: Failure, atMs: number): void {
    const phase = this.phaseOf(atMs);
    add(phase.counts, Counter.wrong, 1);
    if (phase === this.#counters.measure) this.#errors.add(failure);
  }

  /** Notes a reply of the measured phase whose content is wrong, an error that is counted already. */
  wrongReply(): void {
    add(this.#counters.measure.counts, Counter.wrong, 1);
  }

  /** An error that belongs to no message. */
  error(failure: Failure): void {
    this.#errors.add(failure);
  }

  take(handler: string): void {
    this.unasked.set(handler, (this.unasked.get(handler) ?? 0) + 1);
  }

  labels(): LabelCounts[] {
    return [...this.#labels].map(([label, { count, failed, service, response }]) => ({
      label,
      count,
      failed,
      service: service.buffer,
      response: this.#scheduled ? response.buffer : null,
    }));
  }

  /** What is outside of loops comes once, mostly before the measured phase. */
  #counts(step: ExpectStep, ms: number): boolean {
    return !step.looped || this.isMeasured(ms);
  }

  #labelOf(name: string): Label {
    const known = this.#labels.get(name);
    if (known !== undefined) return known;
    const label = { count: 0, failed: 0, service: new Histogram(), response: new Histogram() };
    this.#labels.set(name, label);
    return label;
  }
}
