import type { Unit } from '../../report/format.ts';

/** A chart as the page's script draws it. */
export interface Chart {
  readonly id: string;
  /** Charts of kind `time` share the axis of the page. */
  readonly x:
    | { readonly kind: 'time' }
    | {
        readonly kind: 'scale';
        /** What the horizontal axis shows, with its unit. */
        readonly label: string;
        readonly values: readonly number[];
        /** Text of each value, at the cursor. */
        readonly names: readonly string[];
        readonly ticks: readonly (readonly [position: number, label: string])[];
      };
  readonly unit: Unit;
  /** What the vertical axis shows, with its unit. */
  readonly label: string;
  /** The scale at first; the reader can change it. */
  readonly logarithmic: boolean;
  readonly series: readonly ChartSeries[];
  /** Two series, by index; the gap between them is filled. */
  readonly gap?: readonly [upper: number, lower: number];
}

/** The name of a colour of the style sheet. */
export type Tone =
  'a' | 'a-soft' | 'a-faint' | 'b' | 'b-soft' | 'b-faint' | 'grey' | 'good' | 'bad';

export interface ChartSeries {
  readonly label: string;
  readonly tone: Tone;
  readonly style: 'line' | 'dashed' | 'area' | 'steps' | 'step-area' | 'dots' | 'rings';
  /** Not drawn until the reader selects it. */
  readonly hidden?: boolean;
  readonly values: readonly (number | null)[];
}

/** A chart with its title, note and table. */
export interface Figure {
  readonly chart: Chart;
  readonly title: string;
  /** One sentence on how to read it. */
  readonly note: string;
  readonly wide: boolean;
  /** The same figures as a table. */
  readonly head: readonly [first: string, ...others: string[]];
  readonly rows: readonly (readonly string[])[];
}

/** Shortens a figure to what a chart can show; a page has thousands of them. */
export function shorten(value: number | null): number | null {
  return value === null || !Number.isFinite(value) ? null : Number(value.toPrecision(4));
}
