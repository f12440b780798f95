export { testEndpoint } from './test-endpoint.ts';
export { validateHandshake } from '../validate-handshake/validate-handshake.ts';
