/** The unit of a figure. */
export type Unit = 'ms' | '/s' | 'bytes' | 'count' | 'cores' | '%' | 'ratio' | 'µs' | 's';

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** Three significant digits, as the histograms hold them: `0.0470`, `1.03`, `911`, `12,345`. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size >= 99.95) return WHOLE.format(value);
  return size < 0.001 ? value.toFixed(6).replace(/0+$/, '') : value.toPrecision(3);
}

/** Five significant digits, enough to compare a figure with a threshold. */
export function exact(value: number): string {
  return Math.abs(value) >= 1e5 ? WHOLE.format(value) : String(Number(value.toPrecision(5)));
}

/** A whole number with commas between thousands. */
export function count(value: number): string {
  return WHOLE.format(value);
}

/** Up to three significant digits, without trailing zeros: `64`, `0.5`, `99.9`. */
export function short(value: number): string {
  const text = figure(value);
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** Bytes in the largest binary unit that leaves 1 or more. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let size = value;
  let at = 0;
  for (; Math.abs(size) >= 1024 && at < units.length - 1; at += 1) size /= 1024;
  return `${at === 0 ? count(size) : figure(size)} ${units[at] ?? ''}`;
}

/** Milliseconds in readable units: `0.240 ms`, `12.3 s`, `5 min 20 s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${figure(ms)} ms`;
  if (ms < 120_000) return `${short(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  const parts = [
    [Math.floor(seconds / 3600), 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  return parts
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(' ');
}

/** An ISO time in UTC as `2026-11-27 17:34 UTC`. */
export function minute(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}

/** A share of 0 to 1 as `99.93 %`; only 1 is `100 %`. */
export function percent(share: number): string {
  const value = share * 100;
  const text = value >= 99.995 && share < 1 ? '99.99' : value.toFixed(value < 0.1 ? 3 : 2);
  return `${text.includes('.') ? text.replace(/\.?0+$/, '') : text} %`;
}

/** A figure with its unit. */
export function withUnit(value: number, unit: Unit): string {
  switch (unit) {
    case 'ms':
      return duration(value);
    case 'bytes':
      return bytes(value);
    case 'count':
      return count(value);
    case '/s':
      return `${short(value)}/s`;
    case 'ratio':
      return figure(value);
    case '%':
    case 'µs':
    case 's':
      return `${short(value)} ${unit}`;
    case 'cores':
      return `${value.toFixed(2)} cores`;
  }
}

/**
 * Appends spaces as wide as digits, so that the points of right-aligned figures are in one column
 * without digits that were not measured.
 */
export function alignPoints(texts: readonly string[]): string[] {
  const decimals = (text: string): number => /^[^.]*\.(\d+)$/.exec(text)?.[1]?.length ?? 0;
  const most = Math.max(0, ...texts.map(decimals));
  return texts.map((text) => {
    if (!/^-?[\d,]+(\.\d+)?$/.test(text)) return text;
    const own = decimals(text);
    // U+2008 is as wide as a point, U+2007 as a digit.
    return `${text}${own === 0 && most > 0 ? '\u2008' : ''}${'\u2007'.repeat(most - own)}`;
  });
}
