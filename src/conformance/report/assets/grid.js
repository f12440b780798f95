// The matrix of cases and agents, grouped by section; runs of passes are folded into one row.

/** With more agents than this, a cell shows only its mark. */
const MANY_AGENTS = 4;
/** Fewer passes in a row than this are not folded. */
const MIN_PACK = 3;
const many = report.agents.length > MANY_AGENTS;

/** Sections and packs that the reader opened or closed; sections with only passes start closed. */
const turnedSections = new Set();
const openPacks = new Set();

/** The rows that can be walked through; each is a list of the buttons in it. */
let stops = [];
let current = { row: 0, column: 0 };

function drawGrid(onOpen) {
  const grid = $('grid');
  const shown = report.cases.map((_, index) => index).filter(isShown);
  stops = [];
  grid.classList.toggle('many', many);
  grid.setAttribute('aria-colcount', String(2 + report.agents.length));
  grid.replaceChildren(
    gridHead(),
    ...report.sections.flatMap((section) => {
      const own = shown.filter((index) => report.cases[index].section === section.id);
      return own.length === 0 ? [] : [sectionBody(section, own, onOpen)];
    }),
  );
  grid.hidden = shown.length === 0;
  $('none').hidden = shown.length > 0;
  $('count').textContent =
    shown.length === report.cases.length
      ? plural(shown.length, 'case')
      : `${shown.length} of ${plural(report.cases.length, 'case')}`;
  setCurrent(Math.min(current.row, stops.length - 1), current.column, false);
}

function gridHead() {
  return element(
    'thead',
    {},
    element(
      'tr',
      {},
      element('th', { scope: 'col', class: 'id' }, 'Case'),
      element('th', { scope: 'col', class: 'title' }, 'What is tested'),
      ...report.agents.map((agent) =>
        element('th', { scope: 'col', class: 'agent', title: agent }, element('span', {}, agent)),
      ),
    ),
  );
}

function sectionBody(section, indexes, onOpen) {
  const open = isOpen(section, indexes);
  // Each row is a stop as soon as it is made, so they are made from top to bottom.
  const band = bandRow(section, indexes, open, onOpen);
  const rows = open ? packsOf(indexes).flatMap((pack) => packRows(pack, onOpen)) : [];
  return element('tbody', {}, band, ...rows);
}

function isOpen(section, indexes) {
  const startsClosed = isFolding() && indexes.every(isQuietCase);
  return startsClosed === turnedSections.has(section.id);
}

/** Passes are folded while no filter is set. */
function isFolding() {
  return filters.fold && filters.verdicts.size === 0 && filters.words.length === 0;
}

function bandRow(section, indexes, open, onOpen) {
  const tally = Object.entries(VERDICTS)
    .map(([verdict, { label }]) => [
      label.toLowerCase(),
      indexes.flatMap(resultsOf).filter((result) => result?.verdict === verdict).length,
    ])
    .filter(([, count]) => count > 0)
    .map(([label, count]) => `${count} ${label}`)
    .join(', ');
  const button = element(
    'button',
    { type: 'button', tabindex: '-1', 'aria-expanded': String(open) },
    element('span', { class: 'chevron' }),
    element('span', { class: 'label' }, section.title),
    !open && indexes.every(isQuietCase) && squares(indexes),
    element('span', { class: 'tally' }, tally),
  );
  const at = addStop([button]);
  button.addEventListener('click', () => {
    if (!turnedSections.delete(section.id)) turnedSections.add(section.id);
    current = { row: at, column: 0 };
    redraw(onOpen);
  });
  return wideRow('band', button);
}

/** A row of one button over all columns. */
function wideRow(style, button) {
  return element(
    'tr',
    { class: style },
    element('td', { colspan: String(2 + report.agents.length) }, button),
  );
}

/** Splits cases into runs: passes that fold, and everything else one by one. */
function packsOf(indexes) {
  if (!isFolding() || indexes.every(isQuietCase)) {
    return indexes.map((index) => [index]);
  }
  const packs = [];
  let run = [];
  const flush = () => {
    if (run.length >= MIN_PACK) packs.push(run);
    else packs.push(...run.map((index) => [index]));
    run = [];
  };
  for (const index of indexes) {
    if (isQuietCase(index)) {
      run.push(index);
    } else {
      flush();
      packs.push([index]);
    }
  }
  flush();
  return packs;
}

/** A pass of every agent that has not changed. */
function isQuietCase(index) {
  return resultsOf(index).every(
    (result) => result?.verdict === 'pass' && result.change === undefined,
  );
}

/** One square for each case. */
function squares(indexes) {
  return element(
    'span',
    { class: 'squares', 'aria-hidden': 'true' },
    ...indexes.map(() => element('i')),
  );
}

function packRows(pack, onOpen) {
  if (pack.length === 1) return [caseRow(pack[0], onOpen)];
  const first = report.cases[pack[0]].id;
  const open = openPacks.has(first);
  const button = element(
    'button',
    { type: 'button', tabindex: '-1', 'aria-expanded': String(open) },
    element('span', { class: 'chevron' }),
    element('span', { class: 'pass', 'aria-hidden': 'true' }, VERDICTS.pass.mark),
    element(
      'span',
      { class: 'label' },
      `${first} to ${report.cases[pack.at(-1)].id}: ${pack.length} passed`,
    ),
    squares(pack),
  );
  const at = addStop([button]);
  button.addEventListener('click', () => {
    if (!openPacks.delete(first)) openPacks.add(first);
    current = { row: at, column: 0 };
    redraw(onOpen);
  });
  return [wideRow('pack', button), ...(open ? pack.map((index) => caseRow(index, onOpen)) : [])];
}

function redraw(onOpen) {
  drawGrid(onOpen);
  setCurrent(current.row, current.column, true);
}

function caseRow(index, onOpen) {
  const { id, title } = report.cases[index];
  const results = resultsOf(index);
  const cells = results.map((result, agent) => cellButton(index, agent, result));
  const at = addStop(cells);
  const reason = results.length === 1 ? results[0]?.reason : undefined;
  const row = element(
    'tr',
    { class: 'case', 'data-case': id },
    element('th', { scope: 'row', class: 'id' }, id),
    element(
      'td',
      { class: 'title', title: reason ?? title },
      title,
      reason && element('span', { class: 'reason' }, reason),
    ),
    ...cells.map((cell) => element('td', { class: 'agent' }, cell)),
  );
  row.addEventListener('click', (event) => {
    const column = Math.max(0, cells.indexOf(event.target.closest('button')));
    setCurrent(at, column, true);
    onOpen(index, column);
  });
  return row;
}

function cellButton(index, agent, result) {
  const { id } = report.cases[index];
  const { label, mark, style } = looksOf(result);
  const code = result?.code ?? null;
  const change = result?.change;
  const spoken = [
    `${id}, ${report.agents[agent]}: ${label.toLowerCase()}`,
    code === null ? undefined : `close code ${code}`,
    result?.expected && 'as expected',
    change && (change.direction === 'changed' ? 'changed' : `${change.direction} than before`),
  ].filter(isSomething);
  return element(
    'button',
    {
      type: 'button',
      tabindex: '-1',
      class: ['cell', style, result?.expected && 'expected', change && `change-${change.direction}`]
        .filter(isSomething)
        .join(' '),
      'aria-label': spoken.join(', '),
      'data-index': String(index),
      'data-agent': String(agent),
    },
    element('span', {}, mark),
    ...(many || result === null ? [] : cellFacts(label, code, result)),
  );
}

function cellFacts(label, code, { timed, ms }) {
  return [
    element('span', {}, label),
    element('span', { class: 'code' }, code === null ? 'no code' : String(code)),
    timed &&
      element('span', { class: 'ms' }, ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`),
  ];
}

function addStop(buttons) {
  return stops.push(buttons) - 1;
}

/** Makes one button the one that Tab reaches; `focus` also goes there. */
function setCurrent(row, column, focus) {
  stops[current.row]?.[current.column]?.setAttribute('tabindex', '-1');
  if (stops.length === 0) return;
  const safeRow = Math.max(0, Math.min(row, stops.length - 1));
  const safeColumn = Math.max(0, Math.min(column, stops[safeRow].length - 1));
  current = { row: safeRow, column: safeColumn };
  const button = stops[safeRow][safeColumn];
  button.setAttribute('tabindex', '0');
  if (!focus) return;
  button.focus({ preventScroll: true });
  button.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}

/** Goes to the row of a case that is shown, and opens the folds it is in. */
function revealCase(index, agent, onOpen) {
  const find = () =>
    stops.findIndex((buttons) => buttons.some(({ dataset }) => dataset.index === String(index)));
  if (find() === -1) {
    const { section } = report.cases[index];
    const shown = report.cases
      .map((_, at) => at)
      .filter((at) => isShown(at) && report.cases[at].section === section);
    if (!isOpen({ id: section }, shown)) {
      if (!turnedSections.delete(section)) turnedSections.add(section);
    }
    const pack = packsOf(shown).find((one) => one.length > 1 && one.includes(index));
    if (pack !== undefined) openPacks.add(report.cases[pack[0]].id);
    drawGrid(onOpen);
  }
  const row = find();
  if (row === -1) return;
  setCurrent(row, agent, false);
  stops[row][0].scrollIntoView({ block: 'center' });
}
