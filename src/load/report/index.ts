export { liveLines } from './live.ts';
export type { NamedHistogram, NamedHistograms } from './sides.ts';
export { writeReports } from './write-reports.ts';
