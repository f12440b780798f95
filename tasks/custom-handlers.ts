import { defineOnce } from './define.ts';

/** Arguments of the task. */
export interface CustomHandlersArgs {
  /** Absolute path of the generated project. */
  readonly project: string;
  readonly language: string;
  /** What the messages are to do, as the user put it. */
  readonly request: string;
}

/** Result that the agent posts. */
export interface CustomHandlersResult {
  /** Whether the handlers are in place and the project's own tests pass. */
  readonly success: boolean;
  readonly summary: string;
  /** Relative to the project. */
  readonly filesChanged: readonly string[];
}

/**
 * `websocket/custom-handlers`: an agent writes message handling into a generated project.
 *
 * It is no operation of ours: the runner leaves it to the agent that hosts the run.
 */
export const customHandlers = defineOnce<CustomHandlersArgs, CustomHandlersResult>(
  'websocket/custom-handlers',
  ({ project, language, request }, { effectId }) => ({
    kind: 'agent',
    title: `Implement message handling in the ${language} WebSocket server in ${project}: ${request}`,
    labels: ['websocket/custom-handlers'],
    io: {
      inputJsonPath: `tasks/${effectId}/input.json`,
      outputJsonPath: `tasks/${effectId}/result.json`,
    },
    agent: {
      name: 'general-purpose',
      prompt: {
        role: `engineer who knows ${language} and RFC 6455`,
        task: request,
        context: { project, language },
        instructions: [
          'Read AGENTS.md and README.md of the project first; they say where message handling lives.',
          'Check every new message against a schema, and answer what is wrong with an error message.',
          'Keep the limits, the heartbeat and the graceful shutdown as they are.',
          'Document each new message in README.md, test it, and make the tests of the project pass.',
        ],
        outputFormat: 'JSON: { "success": boolean, "summary": string, "filesChanged": string[] }',
      },
      outputSchema: {
        type: 'object',
        required: ['success', 'summary', 'filesChanged'],
        properties: {
          success: { type: 'boolean' },
          summary: { type: 'string' },
          filesChanged: { type: 'array', items: { type: 'string' } },
        },
      },
    },
  }),
  { kind: 'agent', description: 'Implement custom message handling in a generated server' },
);
