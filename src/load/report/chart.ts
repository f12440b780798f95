import type { Unit } from '../../report/format.ts';

/** A chart as the page's script draws it; what it shows is decided here, not there. */
export interface Chart {
  readonly id: string;
  /** `time` stands over the seconds of the run, which all charts of that kind share. */
  readonly x:
    | { readonly kind: 'time' }
    | {
        readonly kind: 'scale';
        readonly label: string;
        readonly values: readonly number[];
        /** What the cursor calls each value. */
        readonly names: readonly string[];
        readonly ticks: readonly (readonly [position: number, label: string])[];
      };
  readonly unit: Unit;
  /** Drawn on a logarithmic scale until the reader asks for the other. */
  readonly logarithmic: boolean;
  readonly series: readonly ChartSeries[];
  /** Two series, by index, between which the gap is the message. */
  readonly gap?: readonly [upper: number, lower: number];
}

/** The name of a colour of the style sheet. */
export type Tone =
  'a' | 'a-soft' | 'a-faint' | 'b' | 'b-soft' | 'b-faint' | 'grey' | 'good' | 'bad';

export interface ChartSeries {
  readonly label: string;
  readonly tone: Tone;
  readonly style: 'line' | 'dashed' | 'area' | 'steps' | 'step-area' | 'dots' | 'rings';
  /** Shown only when the reader asks for it. */
  readonly hidden?: boolean;
  readonly values: readonly (number | null)[];
}

/** A chart with what stands around it. */
export interface Figure {
  readonly chart: Chart;
  readonly title: string;
  /** How to read it, in a sentence. */
  readonly note: string;
  readonly wide: boolean;
  /** The same figures for those who cannot see or do not want the chart. */
  readonly head: readonly [first: string, ...others: string[]];
  readonly rows: readonly (readonly string[])[];
}

/** Shortens a figure to what a chart can show; the page holds thousands of them. */
export function shorten(value: number | null): number | null {
  return value === null || !Number.isFinite(value) ? null : Number(value.toPrecision(4));
}
