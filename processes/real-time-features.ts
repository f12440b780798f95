/**
 * @process specializations/network-programming/real-time-features
 * @description Generate what adds events to an application, a pubsub server with history and resume and a client of it, hold both to their contract, put the server under load, and write one page that shows every verdict.
 * @inputs { projectName?: string, language?: string, type?: string, features?: object | string[] | string, outputDir?: string, port?: number, compression?: boolean, messages?: number, force?: boolean, client?: boolean | object, benchmark?: boolean | object, thresholds?: string[] | string, customHandlers?: string, review?: boolean }
 * @outputs { success: boolean, projectName: string, systemConfig: object, implementation: object, testResults: object, artifacts: array, duration: number, metadata: object }
 * @example
 * websocket-skill run real-time-features --inputs inputs.json
 * // inputs.json: { "projectName": "events", "features": { "history": true, "resume": true } }
 * @skill websocket ../skills/websocket/SKILL.md
 */

import { messagingSystem } from './messaging-system.ts';

export const { process, checkInputs } = messagingSystem({
  name: 'real-time-features',
  type: 'pubsub',
  features: ['pubSub', 'history', 'resume'],
});
