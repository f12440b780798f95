/**
 * Runs `work` with `console.log` and its like writing to stderr.
 *
 * A process is foreign code that runs inside ours, and stdout belongs to the report: with `--json`
 * it has to be one document, whatever the process prints.
 */
export async function withConsoleOnStderr<Result>(work: () => Promise<Result>): Promise<Result> {
  const { log, info, debug } = console;
  Object.assign(console, { log: console.error, info: console.error, debug: console.error });
  try {
    return await work();
  } finally {
    Object.assign(console, { log, info, debug });
  }
}
