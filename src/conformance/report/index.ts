export { comparisonLines, compareRuns, readOtherIndex, summarizeComparison } from './compare.ts';
export type { Comparison, OtherIndex } from './compare.ts';
export { writeReports } from './write-reports.ts';
