// Building blocks of the page. Text becomes text nodes and never markup, whoever wrote it.

/** Makes an element; `properties` are attributes, `on*` functions become listeners. */
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'function') made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const $ = (id) => document.getElementById(id);

const report = JSON.parse($('data').textContent);

/** The colour that a CSS value stands for now; canvases know no variables. */
function colour(value) {
  const probe = $('probe') ?? element('i', { id: 'probe', hidden: '' });
  if (!probe.isConnected) document.body.append(probe);
  probe.style.color = value;
  return getComputedStyle(probe).color;
}
