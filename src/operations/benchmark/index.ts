export { benchmark } from './benchmark.ts';
