import type { BenchmarkReport, Measured } from '../../report.ts';
import { armsOf, type Arm } from '../arms.ts';
import { count, duration, percent, short } from '../format.ts';
import { html, type Markup } from '../markup.ts';
import { mark } from './figure.ts';

const STATUS: Readonly<Record<BenchmarkReport['status'], Markup>> = {
  passed: mark('pass', 'Passed'),
  failed: mark('fail', 'Failed'),
  interrupted: mark('warn', 'Interrupted'),
  invalid: mark('fail', 'Invalid'),
};

/** Whether the figures can be believed, what came of the run, and its most important figures. */
export function summarySection(report: BenchmarkReport): Markup {
  const arms = armsOf(report);
  const notes = [...report.notes, ...arms.flatMap(({ measured }) => measured.notes)];
  return html`<section id="summary" aria-label="Summary">
    ${arms.map(health)}${[...new Set(notes)].map((note) => html`<p class="note">${note}</p>`)}
    <div class="tiles ${arms.length > 1 ? 'pair' : ''}">
      <div class="tile">
        <p class="label">Result</p>
        <p class="value status">${STATUS[report.status]}</p>
        <p class="sub">${resultLine(report)}</p>
      </div>
      ${tiles(arms)}
    </div>
  </section>`;
}

function resultLine({ thresholds, status }: BenchmarkReport): string {
  if (status === 'invalid') return 'the generator was the limit';
  if (status === 'interrupted') return 'the figures up to then';
  const failed = thresholds.filter(({ verdict }) => verdict === 'fail').length;
  if (thresholds.length === 0) return 'no thresholds were given';
  if (failed > 0) return `${failed} of ${thresholds.length} thresholds failed`;
  return thresholds.length === 1
    ? 'the threshold held'
    : `all ${thresholds.length} thresholds held`;
}

/** Says in plain words when what was measured is the generator and not the server. */
function health({ label, measured: { generator } }: Arm): Markup {
  const of = label === '' ? '' : `${label}: `;
  if (!generator.saturated) {
    return html`<p class="health fine">
      ${mark('pass', `${of}The generator kept up`)}<span
        >It was not the limit: the figures are those of the server.</span
      >
    </p>`;
  }
  const held =
    generator.heldRate === null
      ? ''
      : ` It could hold about ${short(generator.heldRate)} messages per second: ask for less, or give it more workers, cores or machines.`;
  return html`<div class="health saturated" role="alert">
    <p class="shout">${of}GENERATOR SATURATED</p>
    <p>
      The load generator, not the server, was the limit: do not take these figures for those of the
      server.${held}
    </p>
    <ul>
      ${generator.reasons.map((reason) => html`<li>${reason}</li>`)}
    </ul>
  </div>`;
}

interface Tile {
  readonly label: string;
  readonly value: (measured: Measured) => string;
  readonly sub: (measured: Measured) => string;
}

const RATE: Tile = {
  label: 'Rate',
  value: ({ rate }) => `${short(rate.received)}/s`,
  sub: ({ rate }) =>
    rate.reached === null || rate.requested === null
      ? 'closed loop'
      : `${percent(rate.reached)} of ${short(rate.requested)}/s sent`,
};

const HANDSHAKES: Tile = {
  label: 'Handshakes',
  value: ({ connections }) => `${short(connections.perSecond)}/s`,
  sub: ({ phases }) => `in ${duration(phases.connectMs)}`,
};

const OPEN: Tile = {
  label: 'Connections',
  value: ({ connections }) => count(connections.opened),
  sub: ({ connections: { requested, failed, dropped } }) =>
    failed + dropped === 0
      ? `all of ${count(requested)}`
      : `of ${count(requested)}; ${count(failed)} failed, ${count(dropped)} dropped`,
};

const ERRORS: Tile = {
  label: 'Errors',
  value: ({ errors }) => count(errors.reduce((sum, row) => sum + row.count, 0)),
  sub: ({ messages }) => `${count(messages.lost)} of ${count(messages.sent)} messages lost`,
};

function percentileTile(p: 'p50' | 'p99' | 'max', label: string): Tile {
  return {
    label,
    value: ({ latency }) => {
      const own = latency.response ?? latency.connect;
      return own === null ? '–' : duration(own[p]);
    },
    sub: ({ latency: { response, service } }) => {
      if (response === null) return 'time to connect';
      return service === null ? 'response' : `service ${duration(service[p])}`;
    },
  };
}

function tiles(arms: readonly Arm[]): Markup[] {
  const messages = arms.some(({ measured }) => measured.messages.sent > 0);
  const shown = [
    messages ? RATE : HANDSHAKES,
    percentileTile('p50', messages ? 'Response p50' : 'Connect p50'),
    percentileTile('p99', messages ? 'Response p99' : 'Connect p99'),
    percentileTile('max', messages ? 'Response, highest' : 'Connect, highest'),
    ERRORS,
    OPEN,
  ];
  return shown.map(({ label, value, sub }) => {
    const values = arms.map(
      (arm) =>
        html`<p class="value">${armChip(arm)}${value(arm.measured)}</p>
          <p class="sub">${sub(arm.measured)}</p>`,
    );
    return html`<div class="tile">
      <p class="label">${label}</p>
      ${values}
    </div>`;
  });
}

/** The letter of a run of a comparison. */
export function armChip({ key, label }: Pick<Arm, 'key' | 'label'>): Markup | undefined {
  return label === '' ? undefined : html`<span class="arm ${key}">${label}</span> `;
}
