export { process } from '../../../dist/processes/realtime-messaging-system.js';
