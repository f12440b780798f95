// node bench/servers/run.mjs [--only name,...] [--long] [--update] [--table] [--verdicts file]
// What the built program says about mainstream servers and proxies, beside the verdicts that are pinned
// in verdicts.json; exits with 1 where they differ. --update pins what is seen, --table prints what is
// pinned as Markdown and runs nothing.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { OPERATIONS, judge } from './matrix.mjs';
import { servers } from './table.mjs';
import { UNCHECKED, counts, differences, markdown, pin, reasons } from './verdicts.mjs';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    long: { type: 'boolean', default: false },
    update: { type: 'boolean', default: false },
    table: { type: 'boolean', default: false },
    verdicts: { type: 'string', default: fileURLToPath(new URL('verdicts.json', import.meta.url)) },
  },
});
const only = values.only?.split(',');
const unknown = (only ?? []).filter((name) => !servers.some((server) => server.name === name));
if (unknown.length > 0) {
  console.error(`no such server: ${unknown.join(', ')}; there are`);
  console.error(servers.map(({ name }) => name).join(', '));
  process.exit(2);
}

const verdicts = JSON.parse(readFileSync(values.verdicts, 'utf8'));
if (values.table) {
  console.log(markdown(verdicts, Object.keys(OPERATIONS)));
  process.exit(0);
}
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));
const absent = [];
let different = 0;
for (const server of servers) {
  const { name } = server;
  if (only && !only.includes(name)) continue;
  const began = performance.now();
  const { missing, version, seen } = await judge(server, values).catch((error) => {
    process.exitCode = 1;
    return { missing: error.message };
  });
  if (missing) {
    console.log(`${name}: NOT TESTED: ${missing}`);
    absent.push(name);
    continue;
  }
  const pinned = verdicts[name];
  const current = pin(server, seen, pinned);
  const lines = values.update ? [] : differences(pinned, seen);
  different += lines.length;
  if (values.update) verdicts[name] = current;
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  console.log(`${name} (${current.version}), ${seconds} s`);
  if (version !== current.version) console.log(`  tested is ${version}`);
  for (const operation of Object.keys(seen)) {
    console.log(`  ${operation.padEnd(20)} ${counts(current[operation])}`);
  }
  for (const line of reasons(current)) console.log(`  ${line}`);
  for (const line of lines) console.log(`  DIFFERENT: ${line}`);
  if (values.update) writeFileSync(values.verdicts, `${JSON.stringify(verdicts, null, 2)}\n`);
}
const unchecked = JSON.stringify(verdicts).includes(UNCHECKED);
if (unchecked) console.log(`\nverdicts.json: a fail is still "${UNCHECKED}"`);
if (absent.length > 0) console.log(`\nnot tested: ${absent.join(', ')}`);
console.log(`\n${different} differences from the pinned verdicts`);
if (different > 0 || unchecked) process.exitCode = 1;
