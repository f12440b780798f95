import type { Side } from '../sides.ts';
import { count, figure } from '../../../report/format.ts';
import { html, type Markup } from '../../../report/html.ts';
import { numeric, type Cell } from '../../../report/table.ts';
import { sideBadge } from './figure.ts';
import { card, facts, section, tableCard, type Section } from '../../../report/parts.ts';

/** Iterations of a scenario, and the milliseconds until each of its expectations was met. */
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
    'Expectation',
    ...numeric('Met', 'Failed', 'Service p50', 'p99', 'Highest', 'Response p99'),
  ];
  return section(
    'scenario',
    'Scenario',
    tableCard(columns, rows, 'Expectations, in milliseconds'),
    ...sides.map(iterationCard),
  );
}

function iterationCard({ label, measured: { scenario } }: Side): Markup | undefined {
  if (scenario === undefined) return undefined;
  const { name, iterations, unasked, total } = scenario;
  return card(
    label === '' ? name : `${name} (${label})`,
    facts([
      ['Iterations started', count(iterations.started)],
      ['Iterations completed', count(iterations.completed)],
      ['Iterations failed', count(iterations.failed)],
      ['Messages sent, ramp included', count(total.sent)],
      ['Messages received, ramp included', count(total.received)],
      ...unasked.map((one) => [`Unexpected: ${one.name}`, count(one.count)] as const),
    ]),
  );
}
