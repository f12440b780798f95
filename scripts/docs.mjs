// Writes the generated parts of docs/ and of the skill's references: the text between
// <!-- flags:<operation> --> and <!-- /flags -->, and likewise errors, violations, close-codes,
// exit-codes and architecture.
// `--check` writes nothing and exits 1 with the names of the stale files.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

const EXIT_MEANINGS = {
  passed: 'done, all checks passed; or a babysitter run that waits for the result of another task',
  failed: 'a report whose verdict is fail: at least one check or threshold failed',
  usage:
    '`UsageError`: a wrong flag, configuration or input file; the message names the value and what was expected',
  environment:
    '`EnvironmentError`: connection refused, timed out, missing tool; the hint says what to try',
  invalid:
    'invalid measurement: `benchmark --strict`, and the load generator was the limit, not the server',
  bug: 'a bug of this program: the stack and where to report it',
  interrupted:
    'interrupted by a signal: the partial report is printed, everything that was started is stopped',
};

/**
 * Returns `text` with every marked section written anew by `sections[name](argument)`.
 *
 * Throws on a marker that no section knows, on one without an end, and on an end without a start.
 */
export function rewriteSections(text, sections) {
  const marker = /<!-- (\/?)([a-z-]+)(?::([a-z-]+))? -->/g;
  let out = '';
  let open;
  let at = 0;
  for (const match of text.matchAll(marker)) {
    const [whole, slash, name, argument] = match;
    if (!Object.hasOwn(sections, name)) continue;
    const end = slash === '/';
    if (end ? open?.name !== name : open !== undefined) throw new Error(`${whole} stands alone`);
    if (end) {
      out += `\n\n${sections[name](open.argument)}\n\n${whole}`;
      open = undefined;
    } else {
      out += text.slice(at, match.index + whole.length);
      open = { name, argument };
    }
    at = match.index + whole.length;
  }
  if (open !== undefined) throw new Error(`<!-- ${open.name} --> has no end`);
  return out + text.slice(at);
}

/** The sections as the built package has them. */
export async function sectionsOfPackage() {
  const { commands } = await import('../dist/src/cli/commands.js');
  const { ExitCode } = await import('../dist/src/cli/exit-code.js');
  const { flagTable, table } = await import('../dist/src/core/derive/markdown.js');
  const { closeCodeTable } = await import('../dist/src/generate/close-codes.js');
  const { ERRORS } = await import('../dist/src/core/errors.js');
  const { VIOLATIONS } = await import('../dist/src/protocol/index.js');
  const operations = await Promise.all(commands.map((entry) => entry.load()));
  return {
    flags(name) {
      const operation = operations.find((candidate) => candidate.name === name);
      if (operation === undefined) throw new Error(`there is no operation ${name}`);
      const none = Object.keys(operation.input.shape).length === 0;
      return none ? `\`${name}\` has no flags of its own.` : flagTable(operation);
    },
    errors: () =>
      table(
        ['code', 'raised for'],
        Object.entries(ERRORS).map(([code, text]) => [`\`${code}\``, text]),
      ),
    'close-codes': closeCodeTable,
    violations: () =>
      table(
        ['code', 'close code', 'broken rule'],
        Object.entries(VIOLATIONS).map(([code, { closeCode, rfc }]) => [
          `\`${code}\``,
          String(closeCode),
          `RFC ${rfc.replace('#', ' section ')}`,
        ]),
      ),
    architecture: () =>
      Object.entries(JSON.parse(readFileSync(`${root}/test/package/architecture.json`, 'utf8')))
        .map(([storey, units]) => {
          const list = (names) => names.map((name) => `\`${name}\``).join(', ');
          const rows = Object.entries(units).map(([unit, { imports, packages }]) => [
            `\`${unit}\``,
            list(imports),
            list(packages),
          ]);
          return `### ${storey}\n\n${table(['unit', 'may import', 'packages'], rows)}`;
        })
        .join('\n\n'),
    'exit-codes': () =>
      table(
        ['exit', 'what it means'],
        Object.entries(ExitCode).map(([name, code]) => {
          if (EXIT_MEANINGS[name] === undefined) throw new Error(`exit code ${name} has no text`);
          return [String(code), EXIT_MEANINGS[name]];
        }),
      ),
  };
}

function documents() {
  const below = (folder) =>
    readdirSync(`${root}/${folder}`)
      .filter((name) => name.endsWith('.md'))
      .sort()
      .map((name) => `${folder}/${name}`);
  return [...below('docs'), ...below('skills/websocket/references')];
}

async function main(checkOnly) {
  const sections = await sectionsOfPackage();
  const stale = [];
  for (const file of documents()) {
    const before = readFileSync(`${root}/${file}`, 'utf8');
    let after;
    try {
      after = rewriteSections(before, sections);
    } catch (error) {
      throw new Error(`${file}: ${error.message}`, { cause: error });
    }
    if (after === before) continue;
    stale.push(file);
    if (!checkOnly) writeFileSync(`${root}/${file}`, after);
  }
  for (const file of stale) console.log(`${checkOnly ? 'stale' : 'written'}: ${file}`);
  if (checkOnly && stale.length > 0) {
    console.error('run `npm run docs` and commit the result');
    process.exitCode = 1;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await main(process.argv.includes('--check'));
