// Compiles the library (dist/) and bundles the command line, babysitter processes inside, for the
// installed skill: skills/websocket/scripts/websocket.mjs, which is also the npm bin, starts the program
// that lies compressed beside it in websocket.br. Beside them go the templates of the generators and the
// assets of reports, compressed, and a file of a few lines for each process, which the babysitter SDK
// imports.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
export const BUNDLE = 'skills/websocket/scripts/websocket.mjs';

function node(...args) {
  execFileSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
}

/** A skill is copied whole on every install. Brotli gives the same bytes on every processor. */
function writeCompressed(file, text) {
  const params = { [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS };
  writeFileSync(file, brotliCompressSync(text, { params }));
}

/**
 * What a module would be or read is put into a compressed file beside the bundle. `contents` is the
 * module in its place, where `text()` reads the file.
 */
function putBeside(filter, text, file, contents) {
  writeCompressed(file, text);
  const reader = `
    import { readFileSync } from 'node:fs';
    import { brotliDecompressSync } from 'node:zlib';
    const text = () =>
      String(brotliDecompressSync(readFileSync(new URL('./${path.basename(file)}', import.meta.url))));
  `;
  return {
    name: `put beside: ${path.basename(file)}`,
    setup({ onLoad }) {
      onLoad({ filter }, () => ({ contents: `${reader}${contents}`, resolveDir: root }));
    },
  };
}

/** A program with all it imports as the text of one script, which needs no other file. */
async function scriptText(entry) {
  const { outputFiles } = await build({
    ...entry,
    absWorkingDir: root,
    write: false,
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    legalComments: 'none',
  });
  return outputFiles[0].text;
}

/** The package `ws` as generated single files hold it: it is there already. */
const EMBEDDED_WS = `
  const { templateFiles } = require('./dist/src/generate/template-files.js');
  const text = templateFiles().assets['ws.min.js'] + '\\nreturn defineWs;';
  const made = { exports: {} };
  new Function(text)()(made, require);
  const WebSocketServer = made.exports;
  const { WebSocket } = new WebSocketServer({ noServer: true }).options;
  module.exports = { WebSocketServer, WebSocket };
`;

/** A module that few calls need, with all it imports from its own folder and `more`: compiled when it is first imported. */
async function scriptBeside(entry, file, more = []) {
  const places = [path.dirname(entry), ...more].map((folder) => `${folder}/`);
  const shared = new Set();
  const later = new Set();
  const contents = `module.exports = require('./${entry}');`;
  const text = await scriptText({
    stdin: { contents, resolveDir: root },
    plugins: [
      {
        name: 'what the bundle has',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^ws$/ }, () => ({ path: 'ws', namespace: 'embedded' }));
          onLoad({ filter: /^/, namespace: 'embedded' }, () => ({
            contents: EMBEDDED_WS,
            resolveDir: root,
          }));
          onResolve({ filter: /^\./ }, ({ path: name, resolveDir, kind }) => {
            const module = path.relative(root, path.join(resolveDir, name));
            // Assets lie beside the bundle themselves.
            const isIts = places.some((place) => module.startsWith(place));
            if (isIts && !module.endsWith('/report-assets.js')) return undefined;
            (kind === 'dynamic-import' ? later : shared).add(module);
            return { path: module, external: true };
          });
        },
      },
    ],
  });
  const made = await import(pathToFileURL(path.join(root, entry)).href);
  const exported = Object.keys(made)
    .filter((key) => key !== 'default')
    .sort();
  const modules = [...shared].sort();
  const imports = [...later].sort().map((name) => `'${name}': () => import('./${name}')`);
  return putBeside(
    new RegExp(`/${entry.replaceAll('.', '\\.')}$`),
    // An import of its own would look for the module on the disk.
    text.replaceAll('import("dist/', 'later("dist/'),
    file,
    `
      ${modules.map((name, at) => `import * as shared${at} from './${name}';`).join('\n')}
      const shared = { ${modules.map((name, at) => `'${name}': shared${at}`).join(', ')} };
      const made = { exports: {} };
      const imports = { ${imports.join(', ')} };
      new Function('module', 'require', 'later', text())(
        made,
        (name) => shared[name] ?? require(name),
        (name) => imports[name](),
      );
      export const { ${exported.join(', ')} } = made.exports;
    `,
  );
}

/**
 * Loads each module of Node when the first of our modules that imports it is loaded: an import
 * statement of the bundle would be carried out at its start.
 */
const lazyBuiltins = {
  name: 'lazy built-ins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path, namespace }) =>
      namespace === 'builtin' ? { path, external: true } : { path, namespace: 'builtin' },
    );
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

/** The load generator's threads: a thread that is started from a text is a script. */
async function threadTexts() {
  const textOf = (entry) => scriptText({ entryPoints: [`dist/src/load/${entry}.js`] });
  return { worker: await textOf('run/worker-entry'), pacer: await textOf('pacing/pacer') };
}

/** Other files of processes/ hold what they share. */
const PROCESSES = readdirSync(`${root}/library/specializations/network-programming`).map((file) =>
  path.basename(file, '.js'),
);

/**
 * What the program begins with, as the body of an async function. The file of a process imports the
 * start script with a query: a module of its own, which must not run the command line, nor wait for
 * the one that does.
 */
const ENTRY = `
  start.processes = {
    ${PROCESSES.map((name) => `${JSON.stringify(name)}: () => import('./dist/processes/${name}.js'),`).join('\n')}
  };
  if (new URL(start.url).search === '') await import('./dist/src/cli/bin.js');
`;

const GENERATED =
  '// Generated by `npm run build` from https://www.npmjs.com/package/websocket-skill; do not edit.';

/** The script that runs the program in the file `program` beside it; ends with the licenses in it. */
function startScript(program, licenses) {
  return `#!/usr/bin/env node
${GENERATED}
// Starts the program in ${program} beside this file: bundled, minified and compressed with Brotli, because
// a skill is copied whole on every install. The package above holds it as separate modules, in dist/.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { brotliDecompressSync } from 'node:zlib';

const file = new URL('./${program}', import.meta.url);
const start = { url: import.meta.url };
const AsyncFunction = (async () => undefined).constructor;
await new AsyncFunction('start', 'require', \`\${read(file)}\\n//# sourceURL=\${file}\`)(
  start,
  createRequire(start.url),
);
export const { processes } = start;

function read(file) {
  try {
    return String(brotliDecompressSync(readFileSync(file)));
  } catch (error) {
    console.error(\`error \${error.message} [WSK_ERR_FILE_NOT_READABLE]\`);
    console.error('  hint copy the whole folder of the skill: ${program} belongs beside this script');
    process.exit(3);
  }
}
${licenses}`;
}

/** The file `<name>.mjs` that the babysitter SDK imports: the process of the bundle beside it. */
function processFile(name, bundleName) {
  return `${GENERATED}
// The babysitter process ${name}: \`run ${name}\` of the script beside this file starts it.
import { processes } from './${bundleName}?processes';
export const { process, checkInputs } = await processes['${name}']();
`;
}

/**
 * Bundles dist/ into `outfile`, and writes the files of the processes beside it; the same input
 * gives the same bytes.
 */
export async function bundle(outfile) {
  const folder = path.dirname(outfile);
  const { templateFiles } = await import('../dist/src/generate/template-files.js');
  const conformance = await import('../dist/src/conformance/report/report-assets.js');
  const load = await import('../dist/src/load/report/report-assets.js');
  const run = await import('../dist/src/operations/report/report-assets.js');
  const beside = [
    ['generate/template-files', 'templateFiles', templateFiles(), 'templates.br'],
    [
      'conformance/report/report-assets',
      'reportAssets',
      conformance.reportAssets(),
      'autobahn-report.br',
    ],
    ['load/report/report-assets', 'reportAssets', load.reportAssets(), 'benchmark-report.br'],
    ['operations/report/report-assets', 'reportAssets', run.reportAssets(), 'run-report.br'],
    ['load/run/thread-sources', 'threadSources', await threadTexts(), 'benchmark-threads.br'],
  ];
  const { outputFiles } = await build({
    absWorkingDir: root,
    stdin: { contents: ENTRY, resolveDir: root, sourcefile: 'entry.js' },
    outfile,
    write: false,
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    define: { 'import.meta.url': 'start.url' },
    charset: 'ascii',
    external: ['@a5c-ai/babysitter-sdk', 'bullmq', 'ioredis'],
    legalComments: 'external',
    banner: { js: '"use strict";' },
    plugins: [
      lazyBuiltins,
      ...beside.map(([module, name, value, file]) =>
        putBeside(
          new RegExp(`${module}\\.js$`),
          JSON.stringify(value),
          path.join(folder, file),
          `export const ${name} = () => JSON.parse(text());`,
        ),
      ),
      await scriptBeside('node_modules/yaml/dist/index.js', path.join(folder, 'yaml.br')),
      await scriptBeside('dist/src/contract/index.js', path.join(folder, 'contract.br')),
      await scriptBeside('dist/src/operations/test/test.js', path.join(folder, 'test.br')),
      await scriptBeside(
        'dist/src/conformance/autobahn/cases/index.js',
        path.join(folder, 'autobahn-cases.br'),
      ),
      await scriptBeside(
        'dist/src/conformance/extended/index.js',
        path.join(folder, 'extended-cases.br'),
      ),
      await scriptBeside('dist/src/load/report/index.js', path.join(folder, 'benchmark-pages.br')),
      await scriptBeside(
        'dist/src/operations/mcp-bridge/mcp-bridge.js',
        path.join(folder, 'mcp-bridge.br'),
        ['dist/src/mcp'],
      ),
    ],
  });
  const textOf = (end) => outputFiles.find(({ path: file }) => file.endsWith(end))?.text ?? '';
  const program = `${path.basename(outfile, '.mjs')}.br`;
  writeCompressed(path.join(folder, program), textOf('.mjs'));
  writeFileSync(outfile, startScript(program, textOf('.LEGAL.txt')));
  chmodSync(outfile, 0o755);
  for (const name of PROCESSES) {
    const file = path.join(folder, `${name}.mjs`);
    writeFileSync(file, processFile(name, path.basename(outfile)));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  rmSync(`${root}/dist`, { recursive: true, force: true });
  node('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json');
  // tsc leaves alone what is not TypeScript.
  for (const assets of [
    'src/report/assets',
    'src/conformance/report/assets',
    'src/load/report/assets',
    'src/operations/report/assets',
  ]) {
    cpSync(`${root}/${assets}`, `${root}/dist/${assets}`, { recursive: true });
  }
  // The plotting library of the load report is needed to build, but not to install.
  for (const file of ['LICENSE', 'dist/uPlot.iife.min.js', 'dist/uPlot.min.css']) {
    const name = file.replace('dist/', '');
    cpSync(
      `${root}/node_modules/uplot/${file}`,
      `${root}/dist/src/load/report/assets/uplot/${name}`,
    );
  }
  node('scripts/embed-ws.mjs');
  node('scripts/embed-contract.mjs');
  node('scripts/embed-client.mjs');
  await bundle(`${root}/${BUNDLE}`);
}
