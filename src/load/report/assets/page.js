// Puts the page together: charts, colours, print, the command's copy button.

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

startTheme(() => redraw());
drawCharts();
markScrollable();
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
