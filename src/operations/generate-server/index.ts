export { generateServer } from './generate-server.ts';
export { GenerateServerInput, GenerateServerReport } from '../../generate/schema.ts';
