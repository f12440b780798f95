export { process } from '../../../dist/processes/real-time-features.js';
