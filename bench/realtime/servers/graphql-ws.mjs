// GraphQL as the README of graphql-ws has it, with the schema and the resolvers of the generated server whose
// folder is the argument, and without any of its limits.
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';

const load = (name) => import(pathToFileURL(path.resolve(process.argv[2], 'dist/src', name)).href);
const { createSchema } = await load('graphql-schema.js');
const { resolvers } = await load('handlers/resolvers.js');
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', backlog: 4096 });
server.on('listening', () => console.log(JSON.stringify({ port: server.address().port })));
useServer({ schema: createSchema(resolvers), context: { user: 'somebody' } }, server);
