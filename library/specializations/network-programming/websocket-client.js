export { process } from '../../../dist/processes/websocket-client.js';
