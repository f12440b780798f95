export { process } from '../../../dist/processes/websocket-server.js';
