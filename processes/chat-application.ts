/**
 * @process specializations/network-programming/chat-application
 * @description Generate a chat application with rooms, presence, history and resume, server and client, hold both to their contract, put the server under load, and write one page that shows every verdict.
 * @inputs { projectName?: string, language?: string, type?: string, features?: object | string[] | string, outputDir?: string, port?: number, compression?: boolean, messages?: number, force?: boolean, client?: boolean | object, benchmark?: boolean | object, thresholds?: string[] | string, customHandlers?: string, review?: boolean }
 * @outputs { success: boolean, projectName: string, systemConfig: object, implementation: object, testResults: object, artifacts: array, duration: number, metadata: object }
 * @example
 * websocket-skill run chat-application --inputs inputs.json
 * // inputs.json: { "projectName": "team-chat", "outputDir": "team-chat" }
 * @skill websocket ../skills/websocket/SKILL.md
 */

import { messagingSystem } from './messaging-system.ts';

export const { process, checkInputs } = messagingSystem({
  name: 'chat-application',
  type: 'chat',
  features: ['rooms', 'presence', 'history', 'resume'],
});
