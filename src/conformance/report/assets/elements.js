// Building blocks of the page. Text becomes text nodes and never markup, whoever wrote it.

/** Makes an element; `properties` are attributes, `on*` functions become listeners. */
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (typeof value === 'function') made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.filter(isSomething));
  return made;
}

/** `condition && element` and `text ?? undefined` may stand among children. */
function isSomething(child) {
  return child !== undefined && child !== null && child !== false && child !== '';
}

const $ = (id) => document.getElementById(id);

const report = JSON.parse($('data').textContent);

/** How each verdict looks; marks differ by shape, so that colour is never needed. */
const VERDICTS = {
  fail: { label: 'Failed', mark: '✕', style: 'fail' },
  'non-strict': { label: 'Non-strict', mark: '≈', style: 'nonstrict' },
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

function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
