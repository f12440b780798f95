export { generateServer } from './generate-server.ts';
export { GenerateServerInput, GenerateServerReport } from './schema.ts';
