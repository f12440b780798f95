// Ticks and figures of the axes, by unit.

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const KIB = 1024;

/** Three significant digits, without trailing zeros. */
function digits(value) {
  if (value === 0) return '0';
  if (Math.abs(value) >= 99.95) return WHOLE.format(value);
  return String(Number(value.toPrecision(3)));
}

function formatBytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  for (; value >= KIB && at < units.length - 1; at += 1) value /= KIB;
  return `${digits(value)} ${units[at]}`;
}

/** A figure as the cursor reads it. */
function formatValue(value, unit) {
  if (value === null || value === undefined) return '–';
  switch (unit) {
    case 'ms':
      return value >= 1000 ? `${digits(value / 1000)} s` : `${digits(value)} ms`;
    case 'bytes':
      return formatBytes(value);
    case '/s':
      return `${digits(value)}/s`;
    case '%':
      return `${digits(value)} %`;
    case 'cores':
      return value.toFixed(2);
    default:
      return digits(value);
  }
}

/** A figure on an axis, where room is scarce. */
function formatTick(value, unit) {
  if (unit === '/s' || unit === 'count') {
    if (value >= 1e6) return `${digits(value / 1e6)}M`;
    if (value >= 1e4) return `${digits(value / 1e3)}k`;
    return digits(value);
  }
  return unit === 'cores' ? digits(value) : formatValue(value, unit);
}

/** Seconds since the start: `45 s`, `12:30`, `3:05:00`. */
function formatSecond(second, longest) {
  if (longest <= 180) return `${second} s`;
  const two = (value) => String(value).padStart(2, '0');
  const minutes = Math.floor(second / 60) % 60;
  const hours = Math.floor(second / 3600);
  if (longest < 3600) return `${minutes}:${two(second % 60)}`;
  return `${hours}:${two(minutes)}:${two(second % 60)}`;
}

/** The same on the axis of a run of hours, which has no room for `:00`. */
function tickSecond(second, longest) {
  const text = formatSecond(second, longest);
  return longest >= 3600 ? text.replace(/:00$/, '') : text;
}

/** What the axis of seconds shows, in the unit that `tickSecond` gives. */
function timeLabel(longest) {
  const unit = longest <= 180 ? 's' : longest < 3600 ? 'minutes:seconds' : 'hours:minutes';
  return `time since the start (${unit})`;
}

const SECOND_STEPS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400,
];
const BYTE_STEPS = Array.from({ length: 45 }, (_, power) => 2 ** power);
const COUNT_STEPS = Array.from({ length: 12 }, (_, power) =>
  [1, 2, 5].map((n) => n * 10 ** power),
).flat();

/** Powers of ten, and 2 and 5 times them where there are few. */
function logarithmicTicks(plot, splits) {
  const seen = splits.filter((value) => value > 0);
  const decades = Math.log10((seen.at(-1) ?? 1) / (seen[0] ?? 1));
  const leads = decades <= 1.5 ? [1, 2, 3, 5, 7] : decades <= 3 ? [1, 3] : [1];
  return splits.map((value) => {
    const lead = Math.round(value / 10 ** Math.floor(Math.log10(value) + 1e-9));
    return leads.includes(lead) ? value : null;
  });
}

const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';

function horizontalAxis(chart, inks) {
  const common = { stroke: inks.muted, font: FONT, size: 34, gap: 6, ...lines(inks) };
  if (chart.x.kind === 'time') {
    const longest = report.axis.seconds.at(-1) ?? 0;
    return {
      ...common,
      space: 70,
      incrs: SECOND_STEPS,
      values: (_, splits) => splits.map((second) => tickSecond(second, longest)),
    };
  }
  const { ticks } = chart.x;
  return {
    ...common,
    splits: (plot, _, low, high) => thinned(plot, ticks, low, high).map(([position]) => position),
    values: (_, splits) =>
      splits.map((split) => ticks.find(([position]) => position === split)?.[1] ?? ''),
  };
}

/** Those of the ticks whose labels do not run into each other. */
function thinned(plot, ticks, low, high) {
  const perPixel = (high - low) / Math.max(plot.bbox.width / devicePixelRatio, 1);
  const kept = [];
  for (const tick of ticks) {
    if (tick[0] < low || tick[0] > high) continue;
    const room = 14 + 7 * tick[1].length;
    if (kept.length === 0 || tick[0] - kept.at(-1)[0] >= room * perPixel) kept.push(tick);
  }
  return kept;
}

function verticalAxis(chart, logarithmic, inks) {
  const { unit } = chart;
  const steps = { bytes: { incrs: BYTE_STEPS }, count: { incrs: COUNT_STEPS } }[unit] ?? {};
  return {
    stroke: inks.muted,
    font: FONT,
    size: 66,
    gap: 6,
    space: 34,
    ...lines(inks, logarithmic),
    ...(logarithmic ? { filter: logarithmicTicks } : steps),
    values: (_, splits) => splits.map((value) => (value === null ? null : formatTick(value, unit))),
  };
}

function lines(inks, logarithmic = false) {
  const filter = logarithmic ? { filter: logarithmicTicks } : {};
  return {
    grid: { stroke: inks.line, width: 1, ...filter },
    ticks: { show: false },
  };
}

/** From 0 up, or the decades that hold the values. */
function verticalRange(logarithmic) {
  if (logarithmic) {
    return (_, low, high) =>
      low === null || low <= 0 ? [0.1, 10] : uPlot.rangeLog(low, high, 10, false);
  }
  return (_, low, high) => [0, high > 0 ? high * 1.06 : 1];
}
