// Puts the page together: charts, colours, print, the command's copy button.

/** As the system, dark, light; a file may not be allowed to remember it. */
const THEMES = [
  { name: '', label: 'Auto', spoken: 'as the system' },
  { name: 'light', label: 'Light', spoken: 'light' },
  { name: 'dark', label: 'Dark', spoken: 'dark' },
];
const REMEMBERED = 'websocket-benchmark-theme';

function setTheme(name) {
  const theme = THEMES.find((one) => one.name === name) ?? THEMES[0];
  const button = $('theme');
  document.documentElement.dataset.theme = theme.name;
  button.textContent = theme.label;
  button.setAttribute('aria-label', `Colours: ${theme.spoken}`);
  redraw();
}

function nextTheme() {
  const at = THEMES.findIndex(({ name }) => name === document.documentElement.dataset.theme);
  const { name } = THEMES[(at + 1) % THEMES.length];
  setTheme(name);
  try {
    localStorage.setItem(REMEMBERED, name);
  } catch {
    // The choice lasts as long as the page then.
  }
}

function rememberedTheme() {
  try {
    return localStorage.getItem(REMEMBERED) ?? '';
  } catch {
    return '';
  }
}

function redraw(width) {
  for (const chart of charts) chart.draw(width);
}

/** On paper the page is light, and narrower than most windows. */
const PAPER_WIDTH = 660;
let beforePrint;

function onBeforePrint() {
  beforePrint ??= document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = 'light';
  redraw(PAPER_WIDTH);
}

function onAfterPrint() {
  document.documentElement.dataset.theme = beforePrint ?? '';
  beforePrint = undefined;
  redraw();
}

async function copyCommand() {
  const code = $('command');
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    // Without the permission: what is selected can be copied by hand at least.
    getSelection().selectAllChildren(code);
    if (!document.execCommand('copy')) return;
  }
  $('copy').textContent = 'Copied';
  $('copied').textContent = 'The command was copied.';
  setTimeout(() => ($('copy').textContent = 'Copy'), 2000);
}

/** Tables that are wider than their box can be scrolled with the keyboard. */
function markScrollable() {
  for (const box of document.querySelectorAll('.scroll, .command pre')) {
    if (box.scrollWidth > box.clientWidth) box.setAttribute('tabindex', '0');
    else box.removeAttribute('tabindex');
  }
}

setTheme(rememberedTheme());
drawCharts();
markScrollable();
$('theme').addEventListener('click', nextTheme);
$('copy').addEventListener('click', copyCommand);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => redraw());
window.addEventListener('beforeprint', onBeforePrint);
window.addEventListener('afterprint', onAfterPrint);
new ResizeObserver(() => {
  if (beforePrint !== undefined) return;
  for (const chart of charts) chart.fit();
  markScrollable();
}).observe(document.querySelector('main'));
for (const details of document.querySelectorAll('details')) {
  details.addEventListener('toggle', markScrollable);
}
