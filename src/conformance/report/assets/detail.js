// One case of one agent: why it failed, how to fix it, what the RFC says, and the frame log.

/** The content of the detail; a case that passed has only its definition. */
function detailContent(index, agent, onClose) {
  const one = report.cases[index];
  const result = report.results[agent]?.[index] ?? null;
  return [
    detailHead(one, agent, onClose),
    verdictLine(result),
    result?.reason && element('p', { class: 'lead' }, result.reason),
    result?.expected && section('Why this is expected', element('p', {}, result.expected)),
    result?.change &&
      element(
        'p',
        { class: 'rfc' },
        `Before: ${result.change.before} (${result.change.direction})`,
      ),
    fixSection(result),
    logSection(result?.detail?.log),
    rfcSection(one),
    section(
      'The case',
      element('p', {}, one.description),
      element('p', { class: 'rfc' }, `Expected: ${one.expectation}`),
    ),
    ...(result?.detail ? outcome(result.detail) : []),
  ].filter(isSomething);
}

function section(title, ...content) {
  return element('section', {}, element('h3', {}, title), ...content);
}

function detailHead({ id, title }, agent, onClose) {
  return element(
    'div',
    { class: 'detail-head' },
    element(
      'div',
      {},
      element('h2', { id: onClose && 'detail-title' }, `${id} ${title}`),
      report.agents.length > 1 && element('p', { class: 'of' }, report.agents[agent]),
    ),
    onClose &&
      element(
        'button',
        { type: 'button', class: 'quiet', onclick: onClose },
        'Close ',
        element('kbd', {}, 'Esc'),
      ),
  );
}

function verdictLine(result) {
  const { label, mark, style } = looksOf(result);
  const badge = (name, ...text) => element('span', { class: `cell ${name}` }, ...text);
  if (result === null) return element('p', { class: 'verdicts' }, badge(style, `${mark} ${label}`));
  return element(
    'p',
    { class: 'verdicts' },
    badge(style, `${mark} ${label}`),
    badge('missing', `behavior ${result.behavior}`),
    badge('missing', `close ${result.close}`),
    badge('missing', result.code === null ? 'no close code' : `close code ${result.code}`),
    badge('missing', `${result.ms} ms`),
  );
}

function fixSection(result) {
  const advice = result?.detail?.advice ?? [];
  if (advice.length === 0) return undefined;
  return section(
    'How to fix it',
    element(
      'div',
      { class: 'fix' },
      ...advice.map(({ title, fix }) => element('p', {}, element('strong', {}, `${title}. `), fix)),
    ),
  );
}

function logSection(log) {
  return log && log.lines.length > 0 && section('Frame log', frameLog(log));
}

function rfcSection({ rfc }) {
  const { label, title, statement, url } = report.rfc[rfc];
  const link = element('a', { href: url, rel: 'noreferrer', target: '_blank' }, label);
  return section(
    'What the RFC says',
    element('p', {}, link, title === '' ? '' : `, ${title}. `, statement),
  );
}

function outcome({ wanted, received, facts, request, response, file }) {
  return [
    section(
      'Messages',
      element(
        'dl',
        { class: 'facts' },
        ...wanted.flatMap(([label, events]) =>
          pair(label === 'OK' ? 'expected' : 'tolerated', list(events)),
        ),
        ...pair('received', list(received)),
      ),
    ),
    section(
      'End of the connection',
      element('dl', { class: 'facts' }, ...facts.flatMap(([label, value]) => pair(label, value))),
    ),
    request && section('Request', element('pre', { class: 'head-text' }, request)),
    response && section('Response', element('pre', { class: 'head-text' }, response)),
    element('p', { class: 'rfc' }, 'Everything about this case: ', element('code', {}, file)),
  ];
}

function pair(label, value) {
  return [element('dt', {}, label), element('dd', {}, value)];
}

function list(events) {
  if (events.length === 0) return 'nothing';
  if (events.length === 1) return events[0];
  return element('ol', { class: 'events' }, ...events.map((event) => element('li', {}, event)));
}

const ARROWS = { out: '→', in: '←', timer: '·' };
const SPOKEN = { out: 'sent', in: 'received', timer: 'timer' };

function frameLog({ lines, omitted, gap }) {
  const rows = lines.map(logRow);
  if (omitted > 0) {
    const text = `${plural(omitted, 'more line')}`;
    rows.splice(gap, 0, element('div', { class: 'row gap' }, text));
  }
  return element('div', { class: 'log' }, ...rows);
}

function logRow({ direction, kind, flags, text, dump, ms }) {
  return element(
    'div',
    { class: `row ${direction}${dump ? ' bad' : ''}`, title: `${ms} ms` },
    element(
      'span',
      { class: 'arrow', role: 'img', 'aria-label': SPOKEN[direction] },
      ARROWS[direction],
    ),
    element('span', { class: 'kind' }, kind),
    element('span', { class: 'text' }, flags && element('span', { class: 'flags' }, flags), text),
    dump && element('p', { class: 'why' }, dump.text),
    dump && hexDump(dump),
  );
}

/** Bytes of a line of the dump. */
const dumpWidth = () => (matchMedia('(max-width: 40rem)').matches ? 8 : 16);

/** The header on a line of its own, then the payload; the failing bytes are marked. */
function hexDump({ header, payload, more, at, length }) {
  const headerBytes = toBytes(header);
  const bytes = toBytes(payload);
  const isBad = (index) => index >= at && index < at + length;
  const lines = [dumpLine('head', headerBytes, 0, isBad)];
  const width = dumpWidth();
  for (let from = 0; from < bytes.length; from += width) {
    const shift = headerBytes.length + from;
    const label = String(from).padStart(4);
    lines.push(dumpLine(label, bytes.slice(from, from + width), shift, isBad, width));
  }
  if (more > 0)
    lines.push(element('span', { class: 'at' }, `     and ${plural(more, 'more byte')}`));
  return element(
    'pre',
    { class: 'dump', tabindex: '0', 'aria-label': 'Bytes of the frame, payload unmasked' },
    ...lines.flatMap((line) => [line, '\n']).slice(0, -1),
  );
}

function toBytes(hex) {
  return (hex.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16));
}

/** With a `width`, in bytes, the line is of payload, and ends with it as text. */
function dumpLine(label, bytes, shift, isBad, width) {
  const parts = bytes.flatMap((byte, index) => {
    const hex = byte.toString(16).padStart(2, '0');
    return [isBad(shift + index) ? element('mark', {}, hex) : hex, ' '];
  });
  const ascii = bytes.map((byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·',
  );
  return element(
    'span',
    { class: width === undefined ? 'header' : undefined },
    element('span', { class: 'at' }, `${label} `),
    ...parts,
    width === undefined
      ? ''
      : element('span', { class: 'at' }, `${'   '.repeat(width - bytes.length)} ${ascii.join('')}`),
  );
}
