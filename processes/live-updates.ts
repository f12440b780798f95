/**
 * @process specializations/network-programming/live-updates
 * @description Generate a server of documents that change live and a client that watches them, hold both to their contract, put the server under load, and write one page that shows every verdict.
 * @inputs { projectName?: string, language?: string, type?: string, features?: object | string[] | string, outputDir?: string, port?: number, compression?: boolean, messages?: number, force?: boolean, client?: boolean | object, benchmark?: boolean | object, thresholds?: string[] | string, customHandlers?: string, review?: boolean }
 * @outputs { success: boolean, projectName: string, systemConfig: object, implementation: object, testResults: object, artifacts: array, duration: number, metadata: object }
 * @example
 * websocket-skill run live-updates --inputs inputs.json
 * // inputs.json: { "projectName": "scores", "outputDir": "scores" }
 * @skill websocket ../skills/websocket/SKILL.md
 */

import { messagingSystem } from './messaging-system.ts';

export const { process, checkInputs } = messagingSystem({
  name: 'live-updates',
  type: 'live-updates',
  features: ['resume'],
});
