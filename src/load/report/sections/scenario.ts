import type { Side } from '../sides.ts';
import { count, figure } from '../../../report/format.ts';
import { html, type Markup } from '../../../report/html.ts';
import { table, type Cell } from '../../../report/table.ts';
import { sideBadge, card, facts, section, type Section } from './figure.ts';

/** Passes of a scenario, and what each of its expectations took; milliseconds. */
export function scenarioSection(sides: readonly Side[]): Section[] {
  const rows = sides.flatMap((side) =>
    (side.measured.scenario?.labels ?? []).map(
      ({ label, count: own, failed, service, response }): Cell[] => [
        html`${sideBadge(side)}${label}`,
        count(own),
        count(failed),
        ...(['p50', 'p99', 'max'] as const).map((p) =>
          service === null ? '–' : figure(service[p]),
        ),
        response === null ? '–' : figure(response.p99),
      ],
    ),
  );
  const columns = [
    { head: 'Expectation' },
    ...['Met', 'Failed', 'Service p50', 'p99', 'Highest', 'Response p99'].map((head) => ({
      head,
      numeric: true,
    })),
  ];
  return section(
    'scenario',
    'Scenario',
    rows.length === 0
      ? undefined
      : html`<div class="card wide">${table(columns, rows, 'Expectations, in milliseconds')}</div>`,
    ...sides.map(passCard),
  );
}

function passCard({ label, measured: { scenario } }: Side): Markup | undefined {
  if (scenario === undefined) return undefined;
  const { name, iterations, unasked, total } = scenario;
  return card(
    label === '' ? name : `${name} (${label})`,
    facts([
      ['Passes started', count(iterations.started)],
      ['Passes completed', count(iterations.completed)],
      ['Passes failed', count(iterations.failed)],
      ['Messages sent, ramp included', count(total.sent)],
      ['Messages received, ramp included', count(total.received)],
      ...unasked.map((one) => [`Unasked: ${one.name}`, count(one.count)] as const),
    ]),
  );
}
