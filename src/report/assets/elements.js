// Building blocks of a page. Text becomes text nodes and never markup, whoever wrote it.

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

function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
