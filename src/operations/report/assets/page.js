// All that the page does with scripts: the colours, and boxes that the keyboard can scroll.

function markScrollable() {
  for (const box of document.querySelectorAll('.scroll')) {
    const isWider = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
    if (isWider) box.setAttribute('tabindex', '0');
    else box.removeAttribute('tabindex');
  }
}

startTheme();
markScrollable();
window.addEventListener('resize', markScrollable);
for (const details of document.querySelectorAll('details')) {
  details.addEventListener('toggle', markScrollable);
}
