// Rows of figures, each with the bar that it is held to, in Markdown.

/**
 * @param {string} benchmark
 * @param {string} what
 * @param {{ median: number, low: number, high: number, runs: number } | undefined} figure undefined:
 * it was not measured
 * @param {object} options `atLeast` or `atMost`: the bar, met by the median, or with `always` in every
 * run; `digits`; `why` it was not measured; `note`
 */
export function row(
  benchmark,
  what,
  figure,
  { atLeast, atMost, always = false, digits = 2, why = '', note = '' } = {},
) {
  const bar =
    atLeast === undefined
      ? atMost === undefined
        ? ''
        : `<= ${number(atMost)}`
      : `>= ${number(atLeast)}`;
  if (figure === undefined) {
    return {
      benchmark,
      what,
      figure: '-',
      bar,
      verdict: why ? `not measured: ${why}` : 'not measured',
    };
  }
  const met =
    (atLeast === undefined || (always ? figure.low : figure.median) >= atLeast) &&
    (atMost === undefined || (always ? figure.high : figure.median) <= atMost);
  const shown = (value) => number(value, digits);
  const extremes =
    figure.runs > 1 ? ` (${shown(figure.low)} to ${shown(figure.high)}, ${figure.runs} runs)` : '';
  const verdict = bar === '' ? note : met ? 'ok' : 'BELOW THE BAR';
  return { benchmark, what, figure: `${shown(figure.median)}${extremes}`, bar, verdict };
}

/** Those that are here and can carry the load, and the others with the reason. */
export function present(peers, load, only) {
  const able = [];
  const skipped = new Map();
  for (const peer of peers) {
    if (only && !only.includes(peer.name)) skipped.set(peer.name, 'left out by --peers');
    else if (!peer.can(load)) skipped.set(peer.name, 'has no such load');
    else if (peer.missing() !== null) skipped.set(peer.name, peer.missing());
    else able.push(peer);
  }
  return { able, skipped };
}

export function markdown(rows) {
  const lines = rows.map((each) => `| ${Object.values(each).join(' | ')} |`);
  return [
    '| benchmark | figure | median (spread) | bar | |',
    '| - | - | - | - | - |',
    ...lines,
  ].join('\n');
}

function number(value, digits = 2) {
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}
