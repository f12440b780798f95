import type { Measured } from '../../report.ts';
import type { Arm } from '../arms.ts';
import { count, duration, percent, short } from '../format.ts';
import { html, type Markup } from '../markup.ts';
import { armChip } from './figure.ts';
import { sentOf, type Mode } from './mode.ts';

interface Tile {
  readonly label: string;
  readonly value: (measured: Measured) => string;
  readonly sub: (measured: Measured) => string;
}

const RATE: Tile = {
  label: 'Rate',
  value: ({ rate }) => `${short(rate.received)}/s`,
  sub: ({ rate: { requested, reached } }) => {
    if (requested === null) return 'closed loop';
    if (requested === 0 || reached === null) return 'as fast as they can be';
    return `${percent(reached)} of ${short(requested)}/s sent`;
  },
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

function errorTile(mode: Mode): Tile {
  return {
    label: 'Errors',
    value: ({ errors }) => count(errors.reduce((sum, row) => sum + row.count, 0)),
    sub: ({ messages: { sent, lost } }) =>
      sent === 0 ? 'nothing was sent' : `${count(lost)} of ${count(sent)} ${sentOf(mode)} lost`,
  };
}

function percentileTile(p: 'p50' | 'p99' | 'max', label: string): Tile {
  return {
    label,
    value: ({ latency }) => {
      const own = latency.response ?? latency.connect;
      return own === null ? '–' : duration(own[p]);
    },
    sub: ({ latency: { response, service }, rate }) => {
      if (response === null) return 'time to connect';
      if (service === null) return '';
      return rate.requested === null ? 'as service' : `service ${duration(service[p])}`;
    },
  };
}

/** The most important figures, of each run. */
export function tiles(arms: readonly Arm[], mode: Mode): Markup[] {
  const messages = arms.some(({ measured }) => measured.messages.sent > 0);
  const shown = [
    messages ? { ...RATE, label: mode === 'connect' ? 'Handshakes' : 'Rate' } : HANDSHAKES,
    percentileTile('p50', messages ? 'Response p50' : 'Connect p50'),
    percentileTile('p99', messages ? 'Response p99' : 'Connect p99'),
    percentileTile('max', messages ? 'Response, highest' : 'Connect, highest'),
    errorTile(mode),
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
