export { process } from '../../../dist/processes/live-updates.js';
