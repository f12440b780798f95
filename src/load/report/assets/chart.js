// One chart: uPlot inside, a legend of buttons above, readable with the arrow keys.

/** The colour that a CSS value stands for now; canvases know no variables. */
function colour(value) {
  const probe = $('probe') ?? element('i', { id: 'probe', hidden: true });
  if (!probe.isConnected) document.body.append(probe);
  probe.style.color = value;
  return getComputedStyle(probe).color;
}

/** Every chart of the page; all are drawn again when colours or sizes change. */
const charts = [];

class Drawing {
  constructor(host, chart) {
    this.chart = chart;
    this.host = host;
    this.title = host.closest('figure').querySelector('h3').textContent;
    this.logarithmic = chart.logarithmic;
    this.shown = chart.series.map(({ hidden }) => !hidden);
    this.values = chart.series.map(() => element('span', { class: 'reading' }));
    this.position = element('span', { class: 'position' });
    this.spoken = element('output', { class: 'hidden-text' });
    this.area = element('div', {
      class: 'plot',
      tabindex: '0',
      role: 'group',
      'aria-roledescription': 'chart',
      'aria-label': `${this.title}: ${chart.series.map(({ label }) => label).join(', ')}. The arrow keys read the points; the table below holds the figures.`,
      onkeydown: (event) => this.onKey(event),
      onblur: () => this.plot?.setCursor({ left: -10, top: -10 }),
    });
    const { x, label } = chart;
    const below = x.kind === 'time' ? timeLabel(this.xs.at(-1) ?? 0) : x.label;
    host.append(
      this.legend(),
      element('p', { class: 'axis' }, label),
      this.area,
      element('p', { class: 'axis below' }, below),
      this.spoken,
    );
    this.draw();
  }

  legend() {
    const buttons = this.chart.series.map((series, at) =>
      element(
        'button',
        {
          type: 'button',
          class: 'key',
          'aria-pressed': String(this.shown[at]),
          onclick: (event) => this.toggle(at, event.currentTarget),
        },
        swatch(series),
        series.label,
        this.values[at],
      ),
    );
    const legend = element('div', { class: 'legend' }, ...buttons, this.position);
    if (this.chart.unit === 'ms' || this.chart.unit === '%') legend.append(this.scaleButton());
    return legend;
  }

  scaleButton() {
    const other = () => (this.logarithmic ? 'Linear scale' : 'Logarithmic scale');
    const button = element('button', { type: 'button', class: 'quiet scale' }, other());
    button.addEventListener('click', () => {
      this.logarithmic = !this.logarithmic;
      button.textContent = other();
      this.draw();
    });
    return button;
  }

  toggle(at, button) {
    this.shown[at] = !this.shown[at];
    button.setAttribute('aria-pressed', String(this.shown[at]));
    this.plot.setSeries(at + 1, { show: this.shown[at] });
  }

  get xs() {
    return this.chart.x.kind === 'time' ? report.axis.seconds : this.chart.x.values;
  }

  nameOf(index) {
    if (this.chart.x.kind === 'scale') return this.chart.x.names[index];
    return formatSecond(this.xs[index], this.xs.at(-1));
  }

  draw(width = this.area.clientWidth) {
    this.plot?.destroy();
    const columns = this.chart.series.map(({ values }) =>
      // A logarithm of 0 has no place on the scale.
      this.logarithmic ? values.map((value) => (value > 0 ? value : null)) : values,
    );
    this.plot = new uPlot(this.options(width), [this.xs, ...columns], this.area);
  }

  options(width) {
    const { chart } = this;
    const inks = {
      muted: colour('var(--muted)'),
      line: colour('var(--grid)'),
      panel: colour('var(--panel)'),
      shade: colour('var(--shade)'),
    };
    const overTime = chart.x.kind === 'time';
    return {
      width: Math.max(width, 200),
      height: this.host.closest('.wide') && width > 700 ? 300 : 260,
      padding: [10, 26, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: true, y: false },
        points: { size: 7 },
        ...(overTime ? { sync: { key: 'time' } } : {}),
      },
      scales: {
        x: { time: false, range: (_, low, high) => this.horizontalRange(low, high) },
        y: { distr: this.logarithmic ? 3 : 1, log: 10, range: verticalRange(this.logarithmic) },
      },
      axes: [horizontalAxis(chart, inks), verticalAxis(chart, this.logarithmic, inks)],
      series: [{}, ...chart.series.map((series, at) => this.seriesOptions(series, at, inks))],
      ...this.gapBand(),
      hooks: {
        setCursor: [(plot) => this.read(plot.cursor.idx)],
        drawClear: overTime ? [(plot) => shadePhases(plot, inks)] : [],
        draw: overTime ? [(plot) => namePhases(plot, inks)] : [],
      },
    };
  }

  /** A run begins at 0; a part of it that was zoomed to, where it was cut. */
  horizontalRange(low, high) {
    if (this.chart.x.kind === 'time') return [low > (this.xs[0] ?? 0) ? low : 0, high];
    if (low === high) return [low - 1, high + 1];
    return this.chart.series.some(({ style }) => style === 'dots')
      ? [low - 0.5, high + 0.5]
      : [low, high];
  }

  seriesOptions({ label, tone, style }, at, inks) {
    const ink = colour(`var(--tone-${tone})`);
    const wash = colour(`color-mix(in srgb, var(--tone-${tone}) 16%, transparent)`);
    const common = { label, show: this.shown[at], stroke: ink, width: 1.75, spanGaps: false };
    const points = { show: (_, __, from, to) => to - from < 30, size: 5, fill: ink };
    switch (style) {
      case 'dots':
        return { ...common, paths: () => null, points: { show: true, size: 10, fill: ink } };
      case 'rings':
        return {
          ...common,
          paths: () => null,
          points: { show: true, size: 10, width: 2, fill: inks.panel },
        };
      case 'steps':
      case 'step-area':
        return {
          ...common,
          // A second is drawn where it ends, a bucket where it begins.
          paths: uPlot.paths.stepped({ align: this.chart.x.kind === 'time' ? -1 : 1 }),
          points: { show: false },
          ...(style === 'steps' ? {} : { fill: wash }),
        };
      case 'dashed':
        return { ...common, dash: [5, 4], points: { show: false } };
      case 'area':
        return { ...common, fill: wash, points };
      default:
        return { ...common, points };
    }
  }

  gapBand() {
    const { gap } = this.chart;
    if (gap === undefined) return {};
    const fill = colour('color-mix(in srgb, var(--tone-a) 14%, transparent)');
    return { bands: [{ series: gap.map((at) => at + 1), fill }] };
  }

  /** Shows the figures under the cursor in the legend. */
  read(index) {
    const none = index === null || index === undefined;
    this.position.textContent = none ? '' : this.nameOf(index);
    for (const [at, { values }] of this.chart.series.entries()) {
      this.values[at].textContent = none ? '' : formatValue(values[index], this.chart.unit);
    }
  }

  onKey(event) {
    const last = this.xs.length - 1;
    const at = this.plot.cursor.idx;
    const big = Math.max(1, Math.round(last / 20));
    const moves = {
      ArrowRight: at === null ? 0 : at + 1,
      ArrowLeft: at === null ? last : at - 1,
      PageDown: (at ?? 0) + big,
      PageUp: (at ?? last) - big,
      Home: 0,
      End: last,
    };
    if (event.key === 'Escape') this.plot.setCursor({ left: -10, top: -10 });
    const to = moves[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const index = Math.min(Math.max(to, 0), last);
    this.plot.setCursor({ left: this.plot.valToPos(this.xs[index], 'x'), top: 20 });
    this.read(index);
    const { series, unit } = this.chart;
    const figures = series.map(
      ({ label, values }) => `${label} ${formatValue(values[index], unit)}`,
    );
    this.spoken.textContent = `${this.nameOf(index)}: ${figures.join(', ')}`;
  }

  fit() {
    const width = this.area.clientWidth;
    if (width > 0 && width !== this.plot.width) {
      this.plot.setSize({ width: Math.max(width, 200), height: this.plot.height });
    }
  }
}

const PHASE_NAMES = { connect: 'connect', warmup: 'warm-up', drain: 'drain' };

/** What was not measured, with where it begins and ends on the canvas. */
function unmeasured(plot) {
  const { phases, seconds, step } = report.axis;
  const { left, width } = plot.bbox;
  const inside = (second) =>
    Math.min(Math.max(plot.valToPos(second, 'x', true), left), left + width);
  return phases.flatMap(({ name, from }, at) => {
    const to = phases[at + 1]?.from ?? (seconds.at(-1) ?? 0) + step - 1;
    const label = PHASE_NAMES[name];
    return label === undefined ? [] : [{ label, start: inside(from), end: inside(to) }];
  });
}

/** Under the lines. */
function shadePhases(plot, inks) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.fillStyle = inks.shade;
  for (const { start, end } of unmeasured(plot)) {
    ctx.fillRect(start, bbox.top, end - start, bbox.height);
  }
  ctx.restore();
}

/** Over the lines, where there is room. */
function namePhases(plot, inks) {
  const { ctx, bbox } = plot;
  const pixel = devicePixelRatio;
  ctx.save();
  ctx.font = `${11 * pixel}px system-ui, sans-serif`;
  ctx.textAlign = 'left';
  ctx.textBaseline = 'alphabetic';
  ctx.fillStyle = inks.muted;
  for (const { label, start, end } of unmeasured(plot)) {
    if (ctx.measureText(label).width + 10 * pixel > end - start) continue;
    ctx.fillText(label, start + 5 * pixel, bbox.top + bbox.height - 7 * pixel);
  }
  ctx.restore();
}

/** The policy forbids style attributes in markup, but not styles that a script sets. */
function swatch({ style, tone }) {
  const made = element('i', { class: `swatch ${style}` });
  made.style.setProperty('--tone', `var(--tone-${tone})`);
  return made;
}

function drawCharts() {
  for (const host of document.querySelectorAll('[data-chart]')) {
    const chart = report.charts.find(({ id }) => id === host.dataset.chart);
    charts.push(new Drawing(host, chart));
  }
}
