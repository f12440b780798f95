import process from 'node:process';

/** Whether `npm run test:all` runs: nothing is a sample then. */
export const testsAll = process.env['WSK_TEST_ALL'] === '1';

/** ` (sample)` for the title of a test that `npm run test:all` runs in full. */
export const sampleMark = testsAll ? '' : ' (sample; `npm run test:all` takes all)';
