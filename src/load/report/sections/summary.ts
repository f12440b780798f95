import type { BenchmarkReport, Metrics } from '../../metrics.ts';
import { prefix, sidesOf, type Side } from '../sides.ts';
import { generatorNotes, generatorState } from '../../stats/index.ts';
import { exact, short } from '../../../report/format.ts';
import { html, type Markup } from '../../../report/html.ts';
import { numeric } from '../../../report/table.ts';
import { mark, section, tableCard, type Section } from '../../../report/parts.ts';
import { tiles } from './tiles.ts';

const STATUS: Readonly<Record<BenchmarkReport['status'] | 'doubtful', Markup>> = {
  passed: mark('pass', 'Passed'),
  doubtful: mark('warn', 'In doubt'),
  failed: mark('fail', 'Failed'),
  interrupted: mark('warn', 'Interrupted'),
  invalid: mark('fail', 'Invalid'),
};

/** Whether the figures describe the server, the result of the run, and its main figures. */
export function summarySection(report: BenchmarkReport): Markup {
  const sides = sidesOf(report);
  const { status } = report;
  const isDoubtful = sides.some(
    ({ measured: { generator } }) => generatorState(generator) !== undefined,
  );
  // What is said of the generator stands in `health`.
  const said = new Set(
    sides.flatMap(({ measured: { generator } }) => [
      ...generatorNotes(generator),
      ...generatorNotes(generator, 'B: '),
    ]),
  );
  const notes = new Set([...report.notes, ...sides.flatMap(({ measured }) => measured.notes)]);
  return html`<section id="summary" aria-label="Summary">
    ${sides.map(health)}${[...notes]
      .filter((note) => !said.has(note))
      .map((note) => html`<p class="remark">${note}</p>`)}
    <div class="tiles ${sides.length > 1 ? 'pair' : ''}">
      <div class="tile">
        <p class="label">Result</p>
        <p class="value status">
          ${STATUS[status === 'passed' && isDoubtful ? 'doubtful' : status]}
        </p>
        <p class="sub">${resultLine(report)}</p>
      </div>
      ${tiles(sides, report.mode)}
    </div>
  </section>`;
}

function resultLine({ thresholds, status, measured }: BenchmarkReport): string {
  if (status === 'invalid') return generatorFault(measured) ?? 'the generator did not keep up';
  if (status === 'interrupted') return 'figures up to the interruption';
  const failed = thresholds.filter(({ verdict }) => verdict === 'fail').length;
  if (failed > 0) return `${failed} of ${thresholds.length} thresholds failed`;
  if (status === 'failed') return 'no threshold failed: see the notes and errors';
  const fault = generatorFault(measured);
  if (fault !== undefined) return fault;
  if (thresholds.length === 0) return 'no thresholds were given';
  return thresholds.length === 1
    ? 'the threshold held'
    : `all ${thresholds.length} thresholds held`;
}

function generatorFault({ generator: { saturated, disturbed } }: Metrics): string | undefined {
  if (saturated) return 'the generator was the limit';
  return disturbed ? 'the generator was disturbed' : undefined;
}

/** Says whether the figures describe the server or only the generator. */
function health(side: Side): Markup {
  const { generator } = side.measured;
  const of = prefix(side);
  const state = generatorState(generator);
  if (state === undefined) {
    return html`<p class="health fine">
      ${mark('pass', `${of}The generator kept up`)}<span
        >It was not the limit: the figures describe the server.</span
      >
    </p>`;
  }
  const held =
    generator.heldRate === null
      ? ''
      : ` It can send about ${short(generator.heldRate)} messages per second: lower the rate, or add workers, cores or machines.`;
  const [style, text] = generator.saturated
    ? [
        'saturated',
        `The load generator, not the server, was the limit: the figures describe the generator, not the server.${held}`,
      ]
    : [
        'disturbed',
        'Something other than its load held the generator up, with CPU time to spare: the figures may show that in place of the server. Run it again on a quieter machine.',
      ];
  return html`<div class="health ${style}" role="alert">
    <p class="shout">${of}${state}</p>
    <p>${text}</p>
    <ul>
      ${generator.reasons.map((reason) => html`<li>${reason}</li>`)}
    </ul>
  </div>`;
}

/** Each threshold with what was measured. */
export function thresholdSection({ thresholds }: BenchmarkReport): Section[] {
  const rows = thresholds.map((row) => [
    html`<code>${row.threshold}</code>`,
    row.value === null ? '–' : exact(row.value),
    short(row.bound),
    row.unit,
    mark(row.verdict, row.verdict),
  ]);
  const columns = ['Threshold', ...numeric('Measured', 'Bound'), 'Unit', 'Verdict'];
  return section('thresholds', 'Thresholds', tableCard(columns, rows, 'Thresholds'));
}
