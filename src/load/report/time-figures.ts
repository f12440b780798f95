import type { Side } from './sides.ts';
import { shorten, type ChartSeries, type Figure } from './chart.ts';
import { count, figure, short, type Unit } from '../../report/format.ts';
import { spans, stepFor, type Span } from './timeline.ts';

/** Points of a chart over time, and rows of the table under it. */
const MAX_POINTS = 3600;
const MAX_ROWS = 60;

/** The horizontal axis that all charts over time share. */
export interface Axis {
  /** Each is drawn where it ends: the first at 1. */
  readonly seconds: readonly number[];
  /** Seconds per point. */
  readonly step: number;
  /** Phases of the first run, from the second that ended as they began; those not measured are shaded. */
  readonly phases: readonly { readonly name: Span['phase']; readonly from: number }[];
}

interface Line extends Omit<ChartSeries, 'values'> {
  readonly value: (span: Span) => number | null;
}

/** What one chart over time shows. */
interface TimeChart {
  readonly id: string;
  readonly title: string;
  readonly note: string;
  readonly unit: Unit;
  /** What the vertical axis shows, with its unit. */
  readonly label: string;
  readonly logarithmic?: boolean;
  readonly wide?: boolean;
  readonly lines: (side: Side) => Line[];
}

const MiB = 1024 * 1024;

const INTENDED: Line = {
  label: 'intended',
  tone: 'grey',
  style: 'dashed',
  value: (span) => span.intended,
};

const CHARTS: readonly TimeChart[] = [
  {
    id: 'latency',
    title: 'Latency over time',
    note: 'Response time of the replies received in each second.',
    unit: 'ms',
    label: 'response time (ms)',
    logarithmic: true,
    wide: true,
    lines: (side) => [
      line(side, 'p50', '-soft', (span) => span.p50),
      line(side, 'p99', '', (span) => span.p99),
      line(side, 'highest', '-faint', (span) => span.max, { hidden: side.label !== '' }),
    ],
  },
  {
    id: 'throughput',
    title: 'Throughput over time',
    note: 'Messages per second over all connections: scheduled, sent and received.',
    unit: '/s',
    label: 'messages per second',
    wide: true,
    lines: (side) => [
      line(side, 'sent', '-soft', (span) => span.sent, { hidden: side.label !== '' }),
      line(side, 'received', '', (span) => span.received, areaOf(side)),
      // Drawn last, so that it is visible where all three are equal.
      ...(side.key === 'b' ? [] : [INTENDED]),
    ],
  },
  {
    id: 'errors',
    title: 'Errors over time',
    note: 'Errors of all kinds in each second.',
    unit: 'count',
    label: 'number of errors',
    wide: true,
    lines: (side) => [
      line(side, 'errors', '', (span) => span.errors, {
        tone: side.label === '' ? 'bad' : side.key,
        style: 'step-area',
      }),
    ],
  },
  {
    id: 'connections',
    title: 'Connections over time',
    note: 'Connections that are open at the end of each second, and that were opened in it.',
    unit: 'count',
    label: 'number of connections',
    lines: (side) => [
      line(side, 'open', '', (span) => span.connections, areaOf(side)),
      line(side, 'opened', '-soft', (span) => span.opened, { style: 'dashed' }),
    ],
  },
  {
    id: 'lateness',
    title: 'Lateness of the generator',
    note: 'p99 of the time from when a message was due to when it was sent: a delay of the generator, not of the server.',
    unit: 'ms',
    label: 'lateness (ms)',
    logarithmic: true,
    lines: (side) => [line(side, 'lateness p99', '', (span) => span.latenessP99)],
  },
  {
    id: 'cpu',
    title: 'Processor',
    note: 'Processor cores in use; 1.00 is one full core.',
    unit: 'cores',
    label: 'processor cores',
    lines: (side) => [
      line(side, 'generator', '', (span) => span.generatorCpu),
      line(side, 'server', '-soft', (span) => span.serverCpu, { style: 'dashed' }),
    ],
  },
  {
    id: 'memory',
    title: 'Memory',
    note: 'Resident memory of each process.',
    unit: 'bytes',
    label: 'memory (bytes)',
    lines: (side) => [
      line(side, 'generator', '', (span) => span.generatorRssBytes || null),
      line(side, 'server', '-soft', (span) => span.serverRssBytes, { style: 'dashed' }),
    ],
  },
  {
    id: 'descriptors',
    title: 'File descriptors of the server',
    note: 'Files and sockets that the server holds open.',
    unit: 'count',
    label: 'number of descriptors',
    lines: (side) => [line(side, 'descriptors', '', (span) => span.serverDescriptors)],
  },
];

function line(
  side: Side,
  label: string,
  shade: '' | '-soft' | '-faint',
  value: Line['value'],
  looks: Partial<Line> = {},
): Line {
  const named = side.label === '' ? label : `${side.label} ${label}`;
  return { label: named, tone: `${side.key}${shade}`, style: 'line', value, ...looks };
}

/** Areas of two runs would hide each other. */
function areaOf({ label }: Side): Partial<Line> {
  return { style: label === '' ? 'area' : 'line' };
}

/** Every chart over time that has values, by its id, and their axis. */
export function timeFigures(sides: readonly Side[]): { axis: Axis; figures: Map<string, Figure> } {
  const length = Math.max(0, ...sides.map(({ measured }) => measured.seconds.length));
  const step = stepFor(length, MAX_POINTS);
  const fine = alignedSpans(sides, step);
  const coarse = alignedSpans(sides, stepFor(length, MAX_ROWS));
  const figures = CHARTS.flatMap((chart) => drawn(chart, sides, { fine, coarse, step }));
  return {
    axis: { seconds: fine.seconds, step, phases: phasesOf(fine) },
    figures: new Map(figures.map((one) => [one.chart.id, one])),
  };
}

/** The spans of each run by their second; a shorter run has gaps at the end. */
interface Aligned {
  readonly seconds: readonly number[];
  readonly bySide: ReadonlyMap<Side, ReadonlyMap<number, Span>>;
  readonly step: number;
}

function alignedSpans(sides: readonly Side[], step: number): Aligned {
  const bySide = new Map(
    sides.map((side) => [
      side,
      new Map(spans(side.measured.seconds, step).map((span) => [span.second, span])),
    ]),
  );
  const seconds = [...new Set([...bySide.values()].flatMap((one) => [...one.keys()]))];
  return { seconds: seconds.sort((a, b) => a - b), bySide, step };
}

function phasesOf({ seconds, bySide }: Aligned): Axis['phases'] {
  const [first] = bySide.values();
  const all = seconds.flatMap((second) => first?.get(second) ?? []);
  return all
    .filter(({ phase }, at) => phase !== all[at - 1]?.phase)
    .map(({ phase, second }) => ({ name: phase, from: Math.max(0, second - 1) }));
}

function drawn(
  chart: TimeChart,
  sides: readonly Side[],
  { fine, coarse, step }: { fine: Aligned; coarse: Aligned; step: number },
): Figure[] {
  const lines = sides
    .flatMap((side) => chart.lines(side).map((one) => ({ side, ...one })))
    .map((one) => ({ ...one, values: valuesOf(one, fine) }))
    // A closed loop has no schedule, and the process of a remote server cannot be measured.
    .filter(({ values }) => values.some((value) => value !== null && value > 0));
  if (lines.length === 0) return [];
  const { id, unit, label, title, logarithmic = false, wide = false } = chart;
  const note =
    step === 1
      ? chart.note
      : `${chart.note} Each point covers ${step} seconds: rates are means, latencies are those of the worst second.`;
  const series = lines.map(({ label: name, tone, style, hidden = false, values }) => ({
    label: name,
    tone,
    style,
    hidden,
    values,
  }));
  const columns = lines.map((one) => valuesOf(one, coarse));
  return [
    {
      chart: { id, x: { kind: 'time' }, unit, label, logarithmic, series },
      title,
      note,
      wide,
      head: ['Second', ...series.map((one) => `${one.label} (${tableUnit(unit)})`)],
      rows: coarse.seconds.map((second, row) => [
        coarse.step === 1 ? count(second) : `${count(second)}–${count(second + coarse.step - 1)}`,
        ...columns.map((values) => tableFigure(values[row] ?? null, unit)),
      ]),
    },
  ];
}

function valuesOf(
  { side, value }: Line & { side: Side },
  { seconds, bySide }: Aligned,
): (number | null)[] {
  const own = bySide.get(side);
  return seconds.map((second) => {
    const span = own?.get(second);
    return span === undefined ? null : shorten(value(span));
  });
}

function tableUnit(unit: Unit): string {
  return unit === 'bytes' ? 'MiB' : unit;
}

function tableFigure(value: number | null, unit: Unit): string {
  if (value === null) return '–';
  if (unit === 'bytes') return figure(value / MiB);
  if (unit === 'cores') return value.toFixed(2);
  return unit === 'ms' ? figure(value) : short(value);
}
