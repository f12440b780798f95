import type { BenchmarkReport, Metrics } from '../../metrics.ts';
import type { Side } from '../sides.ts';
import { count, duration, percent, short } from '../../../report/format.ts';
import { html, type Markup } from '../../../report/html.ts';
import { sideBadge } from './figure.ts';

export type Mode = BenchmarkReport['mode'];

/** What a run of that mode sends and counts. */
function countedOf(mode: Mode): 'messages' | 'handshakes' | 'deliveries' {
  if (mode === 'connect') return 'handshakes';
  return mode === 'fanout' ? 'deliveries' : 'messages';
}

/** The same as a heading. */
export function countedTitle(mode: Mode): string {
  const word = countedOf(mode);
  return `${word.charAt(0).toUpperCase()}${word.slice(1)}`;
}

interface Tile {
  readonly label: string;
  readonly value: (measured: Metrics) => string;
  readonly sub: (measured: Metrics) => string;
}

function rateTile(mode: Mode): Tile {
  const free = mode === 'connect' ? 'as fast as possible' : 'no rate was set';
  return {
    label: countedTitle(mode),
    value: ({ rate }) => `${short(rate.received)}/s`,
    sub: ({ rate: { requested, reached } }) =>
      requested === null || requested === 0 || reached === null
        ? free
        : `${percent(reached)} of ${short(requested)}/s sent`,
  };
}

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
      sent === 0 ? 'nothing was sent' : `${count(lost)} of ${count(sent)} ${countedOf(mode)} lost`,
  };
}

/** The kind of time to show: response if measured, else service, else connect. */
function principal({
  latency: { response, service },
}: Metrics): 'response' | 'service' | 'connect' {
  if (response !== null) return 'response';
  return service === null ? 'connect' : 'service';
}

const NAMES = { response: 'Response', service: 'Service', connect: 'Connect' } as const;

function percentileTile(p: 'p50' | 'p99' | 'max', kind: ReturnType<typeof principal>): Tile {
  return {
    label: p === 'max' ? `${NAMES[kind]}, highest` : `${NAMES[kind]} ${p}`,
    value: (measured) => {
      const own = measured.latency[principal(measured)];
      return own === null ? '–' : duration(own[p]);
    },
    sub: (measured) => {
      const { service } = measured.latency;
      if (principal(measured) === 'connect') return 'time to connect';
      return service === null || kind === 'service' ? '' : `service ${duration(service[p])}`;
    },
  };
}

/** The main figures of each run. */
export function tiles(sides: readonly Side[], mode: Mode): Markup[] {
  const [first] = sides;
  const kind = first === undefined ? 'connect' : principal(first.measured);
  const shown = [
    sides.some(({ measured }) => measured.messages.sent > 0) ? rateTile(mode) : HANDSHAKES,
    ...(['p50', 'p99', 'max'] as const).map((p) => percentileTile(p, kind)),
    errorTile(mode),
    OPEN,
  ];
  return shown.map(({ label, value, sub }) => {
    const values = sides.map(
      (side) =>
        html`<p class="value">${sideBadge(side)}${value(side.measured)}</p>
          <p class="sub">${sub(side.measured)}</p>`,
    );
    return html`<div class="tile">
      <p class="label">${label}</p>
      ${values}
    </div>`;
  });
}
