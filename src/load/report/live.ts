import type { LoadPlan } from '../plan.ts';
import type { SecondSample } from '../result.ts';
import { count, duration, short } from '../../report/format.ts';
import { printable } from '../../report/printable.ts';

const NS_PER_MS = 1e6;

/** Width of the labels at the left. */
const LABEL = 9;

const LEVELS = '▁▂▃▄▅▆▇█';

/**
 * Lays out the progress of a benchmark for a terminal of `columns` (at least 40): the last second in
 * figures, the last minutes as sparklines. No line is longer than that, and none has colour codes.
 */
export function liveLines(
  samples: readonly SecondSample[],
  plan: LoadPlan,
  columns: number,
): string[] {
  const width = Math.max(columns, 40);
  const last = samples.at(-1);
  const lines = [
    ...fit(plan.mode, headParts(plan, width - LABEL), width),
    ...fit('phase', phaseParts(samples, plan), width),
  ];
  if (last === undefined) return lines;
  return [
    ...lines,
    ...fit('rate', rateParts(last, plan), width),
    ...fit('latency', latencyParts(last), width),
    ...fit('errors', errorParts(samples), width),
    ...fit('open', [`${count(last.connections)} of ${count(plan.connections)} connections`], width),
    ...fit('health', healthParts(last), width),
    ...sparkline('rate', samples.map(rateOf), (value) => `${short(value)}/s`, width),
    ...sparkline('p99', samples.map(p99Of), duration, width),
  ];
}

function headParts({ mode, target, connections, load }: LoadPlan, room: number): string[] {
  const open =
    load.model === 'open' && load.rate > 0
      ? [`${short(load.rate)}/s ${mode === 'fanout' ? 'published' : load.arrivals}`]
      : [];
  const closed = load.model === 'closed' ? [`closed loop, ${load.depth} in flight each`] : [];
  return [
    cut(printable(target.url), room),
    `${count(connections)} connections`,
    ...open,
    ...closed,
  ];
}

const PHASES: Readonly<Record<SecondSample['phase'], string>> = {
  connect: 'connecting',
  warmup: 'warm-up',
  measure: 'measuring',
  drain: 'waiting for replies',
};

function phaseParts(samples: readonly SecondSample[], { phases }: LoadPlan): string[] {
  const phase = samples.at(-1)?.phase ?? 'connect';
  const limits = {
    connect: phases.rampMs,
    warmup: phases.warmupMs,
    measure: phases.durationMs,
    drain: 0,
  };
  const done = samples.filter((sample) => sample.phase === phase).length;
  const of = limits[phase] > 0 ? ` of ${duration(limits[phase])}` : '';
  return [PHASES[phase], `${duration(done * 1000)}${of}`];
}

function rateParts(last: SecondSample, { mode, load }: LoadPlan): string[] {
  if (mode === 'connect') return [`${short(last.opened)} handshakes/s`];
  if (mode === 'idle') return ['no messages are sent'];
  const intended = load.model === 'open' ? [`of ${short(last.intended)}/s intended`] : [];
  return [`sent ${short(last.sent)}/s`, `received ${short(last.received)}/s`, ...intended];
}

function latencyParts({ response }: SecondSample): string[] {
  if (response === null) return ['no replies in the last second'];
  const shown = (ns: number): string => duration(ns / NS_PER_MS);
  return [
    `p50 ${shown(response.p50)}`,
    `p99 ${shown(response.p99)}`,
    `highest ${shown(response.max)}`,
  ];
}

function errorParts(samples: readonly SecondSample[]): string[] {
  const all = samples.reduce((sum, { errors }) => sum + errors, 0);
  const last = samples.at(-1)?.errors ?? 0;
  return all === 0 ? ['none'] : [count(all), `${count(last)} in the last second`];
}

/** The generator is late above 1 ms and a fifth of the response time. */
function healthParts({ latenessP99, response, cpuMs, rssBytes }: SecondSample): string[] {
  const used = [`CPU ${Math.round(cpuMs / 10)} %`, `${count(rssBytes / 1024 / 1024)} MiB`];
  if (latenessP99 === null) return used;
  const limit = Math.max(NS_PER_MS, (response?.p99 ?? 0) / 5);
  const verdict = latenessP99 > limit ? 'GENERATOR IS LATE' : 'on time';
  return [verdict, `lateness p99 ${duration(latenessP99 / NS_PER_MS)}`, ...used];
}

function rateOf(sample: SecondSample): number | null {
  if (sample.phase === 'connect') return sample.opened;
  return sample.received > 0 || sample.sent > 0 ? sample.received : null;
}

function p99Of({ response }: SecondSample): number | null {
  return response === null ? null : response.p99 / NS_PER_MS;
}

/** The last values as bars from 0 to the highest, which follows them as text. */
function sparkline(
  label: string,
  values: readonly (number | null)[],
  name: (value: number) => string,
  width: number,
): string[] {
  const room = width - LABEL - 16;
  const shown = values.slice(-room);
  const top = Math.max(0, ...shown.filter((value) => value !== null));
  if (top === 0) return [];
  const bars = shown.map((value) => {
    if (value === null) return ' ';
    return LEVELS[Math.min(LEVELS.length - 1, Math.floor((value / top) * LEVELS.length))] ?? ' ';
  });
  return [cut(`${label.padEnd(LABEL)}${bars.join('')} top ${name(top)}`, width)];
}

/** The label and its parts, on as many lines as they need. */
function fit(label: string, parts: readonly string[], width: number): string[] {
  const lines: string[] = [];
  let line = label.padEnd(LABEL);
  let filled = false;
  for (const part of parts) {
    if (filled && line.length + 2 + part.length > width) {
      lines.push(line);
      line = ' '.repeat(LABEL);
      filled = false;
    }
    line += filled ? `  ${part}` : part;
    filled = true;
  }
  return [...lines, line].map((one) => cut(one, width));
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}
