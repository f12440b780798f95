export { process } from '../../../dist/processes/chat-application.js';
