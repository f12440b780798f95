/** A call as flags give it: a name, and JSON after it. */
export interface Call {
  readonly name: string;
  /** Undefined where nothing follows the name. */
  readonly args: unknown;
}

/** A call of a tool of MCP. */
export interface ToolCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** `add [1, 2]` as a call; undefined if there is no name, or what follows it is no JSON. */
export function parseCall(text: string): Call | undefined {
  const [, name = '', json = ''] = /^\s*([^\s{[]\S*)\s*([^]*)$/.exec(text) ?? [];
  if (name === '') return undefined;
  try {
    return { name, args: json === '' ? undefined : (JSON.parse(json) as unknown) };
  } catch {
    return undefined;
  }
}

/** `add {"a": 1}` as a call of a tool; undefined if what follows the name is no JSON object. */
export function toolCallOf(text: string): ToolCall | undefined {
  const { name, args = {} } = parseCall(text) ?? {};
  const isObject = typeof args === 'object' && args !== null && !Array.isArray(args);
  if (name === undefined || !isObject) return undefined;
  return { name, arguments: args as ToolCall['arguments'] };
}
