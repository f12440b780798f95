import { now } from '../../measure/clock.ts';
import type { ErrorTable, Failure } from '../../measure/errors.ts';
import { Counter, add } from '../../measure/counters.ts';
import type { PhaseCounters, WorkerCounters } from '../../measure/counters.ts';
import { Histogram } from '../../measure/histogram.ts';
import { NS, Tracker } from '../../measure/tracker.ts';
import type { Connection } from '../../socket/connection.ts';
import type { ExpectStep, Scenario } from '../scenario.ts';
import { allSteps } from './assign.ts';
import type { LabelCounts, ScenarioCounts } from './results.ts';

/** A message with a reply. */
export interface Trip {
  readonly sentMs: number;
  /** How much later than due it was sent, because its pass began late. */
  readonly lateMs: number;
  /** The reply has not come yet. */
  open: boolean;
}

interface Label {
  count: number;
  failed: number;
  readonly service: Histogram;
  readonly response: Histogram;
}

/** Counts the messages, iterations and labels of the virtual users of one worker. */
export class VuTracker extends Tracker<Connection> {
  readonly iterations = { started: 0, completed: 0, failed: 0 };
  readonly total = { sent: 0, received: 0 };
  readonly #unasked = new Map<string, number>();
  readonly #labels = new Map<string, Label>();
  /** Whether passes have a schedule: without one, response times are not recorded. */
  readonly #scheduled: boolean;

  constructor(options: {
    scenario: Scenario;
    counters: WorkerCounters;
    errors: ErrorTable;
    scheduled: boolean;
  }) {
    super(options.counters, options.errors);
    this.#scheduled = options.scheduled;
    for (const { steps, on } of options.scenario.clients) {
      for (const { name } of on) this.#unasked.set(name, 0);
      for (const step of allSteps(steps)) {
        if (step.kind === 'expect' && step.label !== null) this.#labelOf(step.label);
      }
    }
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
    return { sentMs, lateMs, open: true };
  }

  /** Notes messages that were due and not sent. */
  unsent(dueMs: number, messages: number): void {
    const { counts } = this.phaseOf(dueMs);
    add(counts, Counter.intended, messages);
    add(counts, Counter.unsent, messages);
  }

  /** Notes the reply to `trip`; whether it counts for the measured phase. */
  answer(trip: Trip, atMs: number): boolean {
    const phase = this.#settle(trip);
    const serviceMs = atMs - trip.sentMs;
    this.nowMs = atMs;
    this.countReply(phase, serviceMs, this.#scheduled ? serviceMs + trip.lateMs : null);
    return phase === this.measure;
  }

  /** Notes that no reply to `trip` will come. */
  loseTrip(trip: Trip, failure: Failure): void {
    this.countFailure(this.#settle(trip), Counter.lost, failure);
  }

  #settle(trip: Trip): PhaseCounters {
    trip.open = false;
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

  /** Notes that `step` was not met, or by a wrong message. */
  failed(
    step: ExpectStep,
    from: { sentMs: number; lateMs: number },
    failure: Failure | null,
  ): void {
    if (!this.#counts(step, from.sentMs - from.lateMs)) return;
    if (step.label !== null) this.#labelOf(step.label).failed += 1;
    if (failure !== null) this.errors.add(failure);
  }

  /** Notes an unexpected message that came at `atMs`. */
  wrong(failure: Failure, atMs: number): void {
    this.countFailure(this.phaseOf(atMs), Counter.wrong, failure);
  }

  /** Notes a reply of the measured phase whose content is wrong, an error that is counted already. */
  wrongReply(): void {
    add(this.measure.counts, Counter.wrong, 1);
  }

  /** An error that belongs to no message. */
  error(failure: Failure): void {
    this.errors.add(failure);
  }

  take(handler: string): void {
    this.#unasked.set(handler, (this.#unasked.get(handler) ?? 0) + 1);
  }

  /** Notes the bytes of messages that were just sent. */
  bytes(count: number): void {
    add(this.phaseOf(now()).counts, Counter.bytesSent, count);
  }

  scenario(): ScenarioCounts {
    return {
      iterations: this.iterations,
      total: this.total,
      labels: this.#labelCounts(),
      unasked: [...this.#unasked].map(([name, count]) => ({ name, count })),
    };
  }

  #labelCounts(): LabelCounts[] {
    return [...this.#labels].map(([label, { count, failed, service, response }]) => ({
      label,
      count,
      failed,
      service: service.buffer,
      response: this.#scheduled ? response.buffer : null,
    }));
  }

  /** Steps outside of loops run once, mostly before the measured phase, and always count. */
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
