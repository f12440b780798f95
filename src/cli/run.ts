import { findConfigFile, resolveSettings, type LoadedSettings } from '../config/resolve.ts';
import { resolveInput } from '../core/derive/input.ts';
import type { OperationContext } from '../core/operation.ts';
import { exitCodeOf, ExitCode } from './exit-code.ts';
import type { Invocation } from './parse-flags.ts';
import { ProgressPrinter } from './progress.ts';
import { printable } from '../report/printable.ts';
import { renderJson, renderView } from './render.ts';

/** Runs an operation, prints its report, and returns the exit code. */
export async function run({ operation, args, json }: Invocation): Promise<number> {
  const { settings, note } = await loadSettings(process.cwd());
  if (note !== undefined) process.stderr.write(`note: ${printable(note)}\n`);
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
        ? renderJson(report)
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

/** Loads the settings as the library does, and the YAML parser only for a file. */
async function loadSettings(cwd: string): Promise<LoadedSettings> {
  const found = findConfigFile(cwd);
  const file =
    found.file === undefined
      ? undefined
      : (await import('../config/file.ts')).readConfigFile(found.file);
  return resolveSettings(file, process.env, found.note);
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
