export { aggregate } from './aggregate.ts';
export { bootstrapMedian } from './bootstrap.ts';
export { FIGURES } from './figures.ts';
export type { Figure } from './figures.ts';
export { judgeSaturation } from './saturation.ts';
export { percentilesOf, summarize } from './summarize.ts';
export { judgeThresholds, parseThreshold, requireMeasurable } from './threshold.ts';
export type { Threshold } from './threshold.ts';
