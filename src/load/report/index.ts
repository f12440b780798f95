export { liveLines } from './live.ts';
export type { NamedHistogram, NamedHistograms } from './named-histograms.ts';
export { writeReports } from './write-reports.ts';
