// Which cases are shown: verdicts, section, words.

/** How each verdict looks; marks differ by shape, so that colour is never needed. */
const VERDICTS = {
  fail: { label: 'Failed', mark: '✕', style: 'fail' },
  'non-strict': { label: 'Non-strict', mark: '≈', style: 'warn' },
  unimplemented: { label: 'Unimplemented', mark: '∅', style: 'unimplemented' },
  informational: { label: 'Informational', mark: 'i', style: 'info' },
  pass: { label: 'Passed', mark: '✓', style: 'pass' },
};
const MISSING = { label: 'Not run', mark: '–', style: 'missing' };

function looksOf(result) {
  return result === null ? MISSING : VERDICTS[result.verdict];
}

function resultsOf(caseIndex) {
  return report.results.map((results) => results[caseIndex]);
}

const filters = { verdicts: new Set(), section: '', words: [], fold: true };

/** What a case is found by. */
const haystacks = report.cases.map((one, index) =>
  [
    one.id,
    one.title,
    one.description,
    one.rfc.replace('#', ' '),
    ...resultsOf(index).map((result) => result?.reason ?? ''),
  ]
    .join('\n')
    .toLowerCase(),
);

/** What chips filter by; the last two only where there is something to find. */
const CHIPS = [
  ...Object.entries(VERDICTS).map(([verdict, looks]) => ({
    name: verdict,
    ...looks,
    has: (result) => result?.verdict === verdict,
  })),
  {
    name: 'expected',
    label: 'Expected',
    mark: '!',
    style: 'warn',
    has: (result) => result?.expected !== undefined,
  },
  {
    name: 'changed',
    label: 'Changed',
    mark: '▲▼',
    style: 'info',
    has: (result) => result?.change !== undefined,
  },
];

function isShown(index) {
  const { id, section } = report.cases[index];
  const { verdicts, words } = filters;
  if (filters.section !== '' && section !== filters.section) return false;
  const wanted = CHIPS.filter(({ name }) => verdicts.has(name));
  if (wanted.length > 0) {
    const found = resultsOf(index).some((result) => wanted.some(({ has }) => has(result)));
    if (!found) return false;
  }
  return words.every((word) => matches(word, id, haystacks[index]));
}

/** A word that looks like an id matches from its start, so that `7.1` does not find 6.7.1. */
function matches(word, id, haystack) {
  if (/^(x\.|\d+\.)[\w.-]*\*?$/.test(word)) return id.startsWith(word.replace(/\*$/, ''));
  return haystack.includes(word);
}

function buildFilters(onChange) {
  const section = $('section');
  section.append(
    element('option', { value: '' }, 'All sections'),
    ...report.sections.map(({ id, title }) => element('option', { value: id }, title)),
  );
  section.addEventListener('change', () => {
    filters.section = section.value;
    onChange();
  });
  $('search').addEventListener('input', () => {
    filters.words = $('search').value.toLowerCase().split(/\s+/).filter(Boolean);
    onChange();
  });
  $('fold').addEventListener('change', () => {
    filters.fold = $('fold').checked;
    onChange();
  });
  $('reset').addEventListener('click', () => {
    resetFilters();
    onChange();
  });
  buildChips(onChange);
}

function buildChips(onChange) {
  for (const { name, label, mark, style, has } of CHIPS) {
    const count = report.cases.filter((_, index) => resultsOf(index).some(has)).length;
    if (count === 0) continue;
    const chip = element(
      'button',
      { type: 'button', class: `chip ${style}`, 'aria-pressed': 'false', 'data-name': name },
      element('span', { 'aria-hidden': 'true' }, `${mark} `),
      `${label} `,
      element('span', { class: 'n' }, String(count)),
    );
    chip.addEventListener('click', () => {
      const pressed = !filters.verdicts.delete(name);
      if (pressed) filters.verdicts.add(name);
      chip.setAttribute('aria-pressed', String(pressed));
      onChange();
    });
    $('verdicts').append(chip);
  }
}

function resetFilters() {
  filters.verdicts.clear();
  filters.section = '';
  filters.words = [];
  $('search').value = '';
  $('section').value = '';
  for (const chip of $('verdicts').children) chip.setAttribute('aria-pressed', 'false');
}
