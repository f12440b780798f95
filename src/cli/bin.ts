import { environmentFault } from '../core/errors.ts';
import { VERSION } from '../core/version.ts';
import { commands } from './commands.ts';
import { exitCodeOfError, ExitCode } from './exit-code.ts';
import { parseCommandLine } from './parse.ts';
import { errorDocument, renderError, renderJson } from './render.ts';

let unwritten: Error | undefined;
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever read may have read enough, as `| head` does: the verdict stays what it is.
    if (error.code !== 'EPIPE') unwritten ??= error;
  });
}
process.once('exit', (code) => {
  if (unwritten === undefined) return;
  process.stderr.write(renderError(environmentFault(unwritten) ?? unwritten));
  // A check that failed is more than a report that nobody got.
  if (code === ExitCode.passed) process.exitCode = ExitCode.environment;
});
process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  const json = argv.includes('--json');
  try {
    const parsed = await parseCommandLine(argv, { version: VERSION, commands }, process.cwd());
    if (!('text' in parsed)) return await (await import('./run.ts')).run(parsed);
    process.stdout.write(parsed.text);
    return argv.length === 0 ? ExitCode.usage : ExitCode.passed;
  } catch (thrown) {
    const error = environmentFault(thrown) ?? thrown;
    process.stderr.write(renderError(error));
    if (json) process.stdout.write(renderJson(errorDocument(error)));
    return exitCodeOfError(error);
  }
}
