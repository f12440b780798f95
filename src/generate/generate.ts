import { formatHeader, formatManifest, MANIFEST_FILE, sha256 } from '../target/project/manifest.ts';
import type { Manifest } from '../target/project/manifest.ts';
import { VERSION } from '../core/version.ts';
import { MAX_CHAT_PAYLOAD } from './answers.ts';
import type { Answers } from './answers.ts';
import { LANGUAGES } from './languages/index.ts';
import { readLibrary, readTemplate, renderTemplate } from './template.ts';

/** The generated files by path (with `/`, relative to the output folder), sorted. */
export interface Generated {
  readonly manifest: Manifest;
  readonly files: ReadonlyMap<string, string>;
}

/** Generates the server that `answers` describe. The same answers always give the same bytes. */
export function generate(answers: Answers): Generated {
  const template = readTemplate(answers.language, answers.type);
  const { singleFile, commands } = LANGUAGES[answers.language];
  const isOn = (feature: string): boolean =>
    feature === 'project'
      ? answers.form === 'project'
      : answers.features.some((chosen) => chosen === feature);
  const rendered = renderTemplate(template, isOn, valuesOf(answers));
  if (answers.form === 'file') {
    const manifest = manifestOf(answers, {
      commands: {
        install: null,
        build: null,
        start: singleFile.start(answers.fileName),
        test: null,
      },
      files: new Map(),
    });
    const source = rendered.get(singleFile.source) ?? '';
    const header = formatHeader(manifest, singleFile.comment);
    const text = `${header}${source}\n${readLibrary(answers.language)}`;
    return { manifest, files: new Map([[answers.fileName, text]]) };
  }
  const manifest = manifestOf(answers, { commands: commands[answers.type], files: rendered });
  const all = [...rendered, [MANIFEST_FILE, formatManifest(manifest)] as const];
  return { manifest, files: new Map(sortByPath(all)) };
}

function sortByPath(files: Iterable<readonly [string, string]>): (readonly [string, string])[] {
  return [...files].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The values of the templates' placeholders, as source text. */
function valuesOf(answers: Answers): Record<string, string> {
  return {
    name: answers.name,
    port: String(answers.port),
    maxPayload: String(answers.maxPayload),
    pingInterval: String(answers.pingInterval),
    compression: answers.compression,
    serverNoContextTakeover: String(answers.serverNoContextTakeover),
    subprotocols: LANGUAGES[answers.language].tokenList(answers.subprotocols),
    subprotocolNames: answers.subprotocols.map((name) => `\`${name}\``).join(', ') || 'none',
  };
}

function manifestOf(
  answers: Answers,
  made: { commands: Manifest['commands']; files: ReadonlyMap<string, string> },
): Manifest {
  const { language, type, name, port, compression, serverNoContextTakeover } = answers;
  const { subprotocols, features, maxPayload, pingInterval } = answers;
  const limits = { maxPayload, pingInterval };
  const choices = { compression, serverNoContextTakeover, subprotocols, features };
  const { installed, listening } = LANGUAGES[language];
  return {
    generator: 'websocket-skill',
    version: VERSION,
    language,
    type,
    answers: { language, type, name, port, ...choices, ...limits },
    commands: made.commands,
    installed: made.commands.install === null ? [] : installed,
    listening,
    contract: {
      path: '/',
      echo: type === 'echo',
      maxPayload: type === 'chat' ? Math.min(maxPayload, MAX_CHAT_PAYLOAD) : maxPayload,
      subprotocols: [...subprotocols],
      health: '/healthz',
      ready: '/readyz',
      ...(type === 'chat' && {
        probe: { send: '{"type":"ping","id":"probe"}', expect: '{"type":"pong","id":"probe"}' },
      }),
    },
    files: Object.fromEntries(
      sortByPath(made.files).map(([path, text]) => [path, sha256(text)] as const),
    ),
  };
}
