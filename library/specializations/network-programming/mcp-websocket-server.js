export { process } from '../../../dist/processes/mcp-websocket-server.js';
