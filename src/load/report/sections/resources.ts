import type { BenchmarkReport } from '../../metrics.ts';
import type { Side } from '../sides.ts';
import type { Figure } from '../chart.ts';
import { bytes, count, duration, figure, percent, short } from '../../../report/format.ts';
import { html, type Markup } from '../../../report/html.ts';
import { numeric, table, type Cell } from '../../../report/table.ts';
import { sideBadge, figureMarkup } from './figure.ts';
import { card, facts, section, type Section } from '../../../report/parts.ts';

/** What generator and server used. */
export function resourceSection(
  sides: readonly Side[],
  charts: readonly (Figure | undefined)[],
): Section[] {
  const [first, ...rest] = [...sides.map(generatorCard), ...sides.flatMap(serverCard)];
  return section(
    'resources',
    'Resources',
    ...charts.map(figureMarkup),
    first,
    ...rest,
    workerCard(sides),
  );
}

function generatorCard({ label, measured: { generator } }: Side): Markup {
  const { cpuMs, cpuPerMessageUs, peakRssBytes, saturated, disturbed } = generator;
  return card(
    named('Generator', label),
    facts([
      ['CPU time', duration(cpuMs)],
      ['CPU per message', cpuPerMessageUs === null ? '–' : `${figure(cpuPerMessageUs)} µs`],
      ['Peak memory', bytes(peakRssBytes)],
      ['Kept up', saturated ? 'no, saturated' : disturbed ? 'no, disturbed' : 'yes'],
    ]),
  );
}

function serverCard({ label, measured: { server } }: Side): Markup[] {
  if (server === null) return [];
  const { messagesPerCpuSecond, bytesPerConnection } = server;
  return [
    card(
      named('Server', label),
      facts([
        ['Process', html`${server.pid}, <code>${server.command}</code>`],
        ['CPU time', duration(server.cpuMs)],
        [
          'Messages per CPU second',
          messagesPerCpuSecond === null ? '–' : short(messagesPerCpuSecond),
        ],
        ['Peak memory', bytes(server.peakRssBytes)],
        ['Memory per connection', bytesPerConnection === null ? '–' : bytes(bytesPerConnection)],
        ['Peak file descriptors', count(server.peakDescriptors)],
      ]),
    ),
  ];
}

function named(title: string, label: string): string {
  return label === '' ? title : `${title} (${label})`;
}

function workerCard(sides: readonly Side[]): Markup | undefined {
  const rows = sides.flatMap((side) =>
    side.measured.generator.workers.map((worker): Cell[] => [
      html`${sideBadge(side)}${worker.name}`,
      worker.measureMs === 0 ? '–' : percent(worker.cpuMs / worker.measureMs),
      percent(worker.eventLoopUtilization),
      `${figure(worker.gcMs)} ms`,
    ]),
  );
  if (rows.length === 0) return undefined;
  const columns = [
    'Worker',
    ...numeric('CPU of one core', 'Event loop busy', 'Garbage collection'),
  ];
  return card('Workers', table(columns, rows, 'Workers'), 'wide');
}

/** The machine, and the command that repeats the run. */
export function environmentSection(report: BenchmarkReport): Section[] {
  const { environment: own } = report;
  const rows = facts([
    ['Processor', `${own.cpu}, ${own.cores} cores`],
    ['Memory', bytes(own.memoryBytes)],
    ['System', own.platform],
    ['Node', own.node],
    ['websocket-skill', own.version],
    ['Load average before the run', figure(own.loadAverage)],
    ['CPU used by other programs', own.otherCpu === null ? 'not known' : percent(own.otherCpu)],
    [
      'File descriptors',
      own.descriptorLimit === null ? 'no limit known' : `up to ${count(own.descriptorLimit)}`,
    ],
    ['Local ports', own.portRange ?? 'not known'],
    ['CPU frequency governor', own.governor ?? 'not known'],
    ['Engine', report.measured.engine],
  ]);
  return section(
    'environment',
    'Environment',
    commandCard(report.command),
    html`<div class="card wide">${rows}</div>`,
  );
}

/** The command that repeats a run, which can be copied. */
export function commandCard(command: string): Markup {
  const content = html`<div class="command">
    <pre><code id="command">${command}</code></pre>
    <button type="button" class="quiet" id="copy">Copy</button
    ><output id="copied" class="hidden-text"></output>
  </div>`;
  return card('Command', content, 'wide');
}
