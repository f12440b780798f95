/**
 * @process specializations/network-programming/realtime-messaging-system
 * @description Generate a messaging system, server and client, hold both to their contract and to the opening handshake of RFC 6455, put the server under load, and write one page that shows every verdict; with an optional agent step for custom handlers and an optional review.
 * @inputs { projectName?: string, language?: string, type?: string, features?: object | string[] | string, outputDir?: string, port?: number, compression?: boolean, messages?: number, force?: boolean, client?: boolean | object, benchmark?: boolean | object, thresholds?: string[] | string, customHandlers?: string, review?: boolean }
 * @outputs { success: boolean, projectName: string, systemConfig: object, implementation: object, testResults: object, artifacts: array, duration: number, metadata: object }
 * @example
 * websocket-skill run realtime-messaging-system --inputs inputs.json
 * // inputs.json: { "projectName": "team-chat", "features": { "pubSub": true, "presence": true, "history": true }, "thresholds": ["p99<50ms"] }
 * @skill websocket ../skills/websocket/SKILL.md
 */

import { messagingSystem } from './messaging-system.ts';

export const { process, checkInputs } = messagingSystem({
  name: 'realtime-messaging-system',
  features: ['pubSub', 'presence', 'history', 'resume'],
});
