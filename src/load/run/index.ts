export { runLoad } from './coordinator.ts';
