// Puts the page together: filters, matrix, detail, keys, colours, address, print.

let opened;

function openDetail(index, agent, { focus = true } = {}) {
  opened = { index, agent };
  const detail = $('detail');
  detail.replaceChildren(...detailContent(index, agent, closeDetail));
  detail.hidden = false;
  detail.scrollTop = 0;
  $('workspace').classList.add('open');
  markSelected();
  stops[current.row]?.[current.column]?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  const { id } = report.cases[index];
  const place = report.agents.length > 1 ? `${id}@${agent}` : id;
  history.replaceState(null, '', `#case=${encodeURIComponent(place)}`);
  if (focus) detail.focus({ preventScroll: true });
}

function closeDetail() {
  if (opened === undefined) return;
  opened = undefined;
  $('detail').hidden = true;
  $('workspace').classList.remove('open');
  markSelected();
  history.replaceState(null, '', location.pathname + location.search);
  setCurrent(current.row, current.column, true);
}

function markSelected() {
  const id = opened && report.cases[opened.index].id;
  for (const row of document.querySelectorAll('#grid tr.case')) {
    const selected = row.dataset.case === id;
    row.setAttribute('aria-selected', String(selected));
    for (const [agent, cell] of row.querySelectorAll('.cell').entries()) {
      if (selected && agent === opened.agent) cell.setAttribute('aria-current', 'true');
      else cell.removeAttribute('aria-current');
    }
  }
}

function draw() {
  drawGrid(openDetail);
  markSelected();
}

/** Goes `rows` up or down; an open detail follows, and keeps the focus if it has it. */
function move(rows, columns = 0) {
  goTo(current.row + rows, current.column + columns);
}

function goTo(row, column) {
  setCurrent(row, column, !$('detail').contains(document.activeElement));
  follow();
}

function follow() {
  const { index, agent } = stops[current.row]?.[current.column]?.dataset ?? {};
  if (opened === undefined || index === undefined) return;
  openDetail(Number(index), Number(agent), { focus: false });
}

/** Goes to the next row with a failure, from the top again after the last. */
function nextFailure() {
  const order = stops.map((_, at) => (current.row + 1 + at) % stops.length);
  const row = order.find((at) => stops[at].some((button) => button.matches('.cell.fail')));
  if (row === undefined) return;
  goTo(
    row,
    stops[row].findIndex((button) => button.matches('.cell.fail')),
  );
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  n: nextFailure,
  '/': () => $('search').select(),
};
const GRID_KEYS = {
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  ArrowLeft: () => move(0, -1),
  ArrowRight: () => move(0, 1),
  PageDown: () => move(10),
  PageUp: () => move(-10),
  Home: () => move(-stops.length),
  End: () => move(stops.length),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches('input[type=search], select');
  if (event.key === 'Escape') {
    if (typing && event.target.value !== '') return;
    if (opened !== undefined) closeDetail();
    else if (typing) setCurrent(current.row, current.column, true);
    return;
  }
  if (typing) {
    if (event.key === 'Enter' || event.key === 'ArrowDown') {
      if (event.target.id === 'search') {
        event.preventDefault();
        setCurrent(0, 0, true);
        if (stops.length > 1) move(1);
      }
    }
    return;
  }
  const act =
    KEYS[event.key] ?? ($('grid').contains(event.target) ? GRID_KEYS[event.key] : undefined);
  if (act === undefined) return;
  event.preventDefault();
  act();
}

function openFromAddress() {
  const place = new URLSearchParams(location.hash.slice(1)).get('case');
  if (place === null) return;
  const [id, agent = '0'] = place.split('@');
  const index = report.cases.findIndex((one) => one.id === id);
  if (index === -1 || report.agents[Number(agent)] === undefined) return;
  revealCase(index, Number(agent), openDetail);
  openDetail(index, Number(agent), { focus: false });
}

/** Printed are the rows as they are shown, then the details of what failed among them. */
const MAX_PRINTED = 60;

function fillPrint() {
  const failing = report.cases.flatMap((_, index) =>
    isShown(index)
      ? resultsOf(index).flatMap((result, agent) =>
          result?.verdict === 'fail' ? [[index, agent]] : [],
        )
      : [],
  );
  $('print').replaceChildren(
    ...failing
      .slice(0, MAX_PRINTED)
      .map(([index, agent]) => element('article', {}, ...detailContent(index, agent))),
  );
}

startTheme();
buildFilters(draw);
draw();
openFromAddress();
document.addEventListener('keydown', onKey);
window.addEventListener('hashchange', openFromAddress);
window.addEventListener('beforeprint', fillPrint);
window.addEventListener('afterprint', () => $('print').replaceChildren());
