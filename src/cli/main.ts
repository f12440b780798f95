import { loadSettings } from '../config/index.ts';
import { resolveInput } from '../core/derive/input.ts';
import type { OperationContext } from '../core/operation.ts';
import { VERSION } from '../core/version.ts';
import { commands } from './commands.ts';
import { exitCodeOf, exitCodeOfError, ExitCode } from './exit-code.ts';
import { parseCommandLine, type Invocation } from './parse.ts';
import { ProgressPrinter } from './progress.ts';
import { errorDocument, renderError, renderView } from './render.ts';

/** Runs the command line and returns the exit code; everything printed is printed here. */
export async function main(argv: readonly string[]): Promise<number> {
  const json = argv.includes('--json');
  try {
    const parsed = parseCommandLine(argv, { version: VERSION, commands }, process.cwd());
    if ('text' in parsed) {
      process.stdout.write(parsed.text);
      return argv.length === 0 ? ExitCode.usage : ExitCode.passed;
    }
    return await invoke(parsed);
  } catch (error) {
    process.stderr.write(renderError(error));
    if (json) process.stdout.write(`${JSON.stringify(errorDocument(error), null, 2)}\n`);
    return exitCodeOfError(error);
  }
}

async function invoke({ operation, args, json }: Invocation): Promise<number> {
  const { settings } = loadSettings({ cwd: process.cwd(), env: process.env });
  const input = resolveInput(operation, args, settings, 'flag');
  const progress = new ProgressPrinter(process.stderr, () => performance.now());
  const interruption = onInterrupt();
  const context: OperationContext = {
    signal: interruption.signal,
    emit: progress.emit,
    cwd: process.cwd(),
    now: () => performance.now(),
  };
  try {
    const report = await operation.run(input, context);
    progress.end();
    process.stdout.write(
      json
        ? `${JSON.stringify(report, null, 2)}\n`
        : renderView(operation.view(report), report, process.stdout.columns),
    );
    return exitCodeOf(report);
  } catch (error) {
    progress.end();
    if (interruption.signal.aborted) return ExitCode.interrupted;
    throw error;
  } finally {
    interruption.end();
  }
}

/** Turns the first Ctrl-C or SIGTERM into an abort; a second one ends the process at once. */
function onInterrupt(): { signal: AbortSignal; end: () => void } {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(ExitCode.interrupted);
    controller.abort();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, interrupt);
  return {
    signal: controller.signal,
    end: () => {
      for (const name of signals) process.off(name, interrupt);
    },
  };
}
