// Bundles the server half of `ws` into dist/assets/ws.min.js: one function declaration that
// generate-server appends to a generated single file, so that it runs without node_modules.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(`${root}/node_modules/ws/package.json`, 'utf8'));
const license = readFileSync(`${root}/node_modules/ws/LICENSE`, 'utf8').trim();

const { outputFiles } = await build({
  absWorkingDir: root,
  stdin: { contents: "module.exports = require('ws/lib/websocket-server.js');", resolveDir: root },
  bundle: true,
  minify: true,
  write: false,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  plugins: [
    {
      // The package hides its files behind `exports`; the server alone is half of the whole.
      name: 'ws-server',
      setup({ onResolve }) {
        onResolve({ filter: /^ws\/lib\// }, ({ path }) => ({
          path: `${root}/node_modules/${path}`,
        }));
      },
    },
  ],
  // Optional native add-ons; ws does without them when they cannot be loaded.
  external: ['bufferutil', 'utf-8-validate'],
});

const text = `/*!
 * ws ${version} (https://github.com/websockets/ws), bundled and minified.
 *
${license.replace(/^/gm, ' * ').replace(/ +$/gm, '')}
 */
function defineWs(module, require) {
${outputFiles[0].text.trim()}
}
`;
mkdirSync(`${root}/dist/assets`, { recursive: true });
writeFileSync(`${root}/dist/assets/ws.min.js`, text);
