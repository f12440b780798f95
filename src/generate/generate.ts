import { formatHeader, formatManifest, MANIFEST_FILE } from '../target/project/manifest.ts';
import type { Manifest } from '../target/project/manifest.ts';
import { VERSION } from '../core/version.ts';
import {
  FEATURES,
  hostName,
  isOfCommands,
  isOfProtocols,
  MAX_COMMAND_BYTES,
  protocolsOf,
  serverOf,
  tokensOf,
} from './answers.ts';
import type { Answers } from './answers.ts';
import { BASE_FILE, formatBase } from './base.ts';
import { generateClientFiles } from './client.ts';
import type { AnyClientType } from './client.ts';
import { serverCloseCodes, serverCloseCodeTable } from './close-codes.ts';
import { LANGUAGES } from './languages/index.ts';
import { PROTOCOLS } from './languages/language.ts';
import type { Language } from './languages/language.ts';
import {
  hashesOf,
  readAsset,
  readTemplate,
  renderTemplate,
  sortedByPath,
  templateManifest,
} from './template.ts';

/** The generated files by path (with `/`, relative to the output folder), sorted. */
export interface Generated {
  readonly manifest: Manifest;
  readonly files: ReadonlyMap<string, string>;
}

/** Generates the server that `answers` describe. The same answers always give the same bytes. */
export function generate(answers: Answers): Generated {
  const { singleFile, contractTests }: Language = LANGUAGES[answers.language];
  const server = serverOf(answers);
  const template = readTemplate(`${answers.language}/${server.template}`);
  const markers = protocolsOf(answers).map((name) => PROTOCOLS[name].marker);
  const isOn = (feature: string): boolean => {
    if (feature === 'project') return answers.form === 'project';
    // What echo servers alone do without.
    if (feature === 'commands') return answers.type !== 'echo';
    if (feature === 'protocols') return markers.length > 0;
    if (markers.some((marker) => marker === feature)) return true;
    return answers.features.some((chosen) => chosen === feature);
  };
  const rendered = renderTemplate(template, answers.type, isOn, valuesOf(answers));
  if (answers.form === 'file') {
    const manifest = manifestOf(answers, {
      commands: {
        install: null,
        build: null,
        start: singleFile.start(answers.fileName),
        ...singleFile.built?.(answers.fileName),
        test: null,
      },
      files: new Map(),
      userFiles: [],
    });
    const header = formatHeader(manifest, singleFile.comment);
    const text = `${header}${singleFile.text(rendered, readAsset)}`;
    return { manifest, files: new Map([[answers.fileName, text]]) };
  }
  if (answers.type !== 'echo') {
    if (answers.type !== 'collab' && !isOfProtocols(answers.type) && contractTests !== undefined) {
      rendered.set(contractTests, readAsset('contract.mjs'));
    }
    // A protocol of others has clients of others.
    const { type } = answers;
    if (type !== 'rpc' && type !== 'mcp' && rendered.has('public/index.html')) {
      rendered.set('public/client.js', pageClient(answers, type));
    }
  }
  const { userFolders } = templateManifest(template);
  const userFiles = [...rendered.keys()].filter((path) =>
    userFolders.some((folder) => path.startsWith(folder)),
  );
  const made = { commands: server.commands, files: rendered, userFiles };
  const manifest = manifestOf(answers, made);
  const files = sortedByPath([
    ...rendered,
    [MANIFEST_FILE, formatManifest(manifest)],
    [BASE_FILE, formatBase(rendered)],
  ]);
  return { manifest, files };
}

/** The client that the page of the demo uses: the one that generate-client makes for the server. */
function pageClient({ features, port, name }: Answers, type: AnyClientType): string {
  const fileName = 'client.js';
  const url = `ws://localhost:${port}`;
  const answers = { language: 'typescript', type, features, react: false, url, name } as const;
  return generateClientFiles({ ...answers, form: 'file', fileName }).get(fileName) ?? '';
}

/** The values of the templates' placeholders, as source text. */
function valuesOf(answers: Answers): Record<string, string> {
  const language = LANGUAGES[answers.language];
  return {
    name: answers.name,
    hostName: hostName(answers.name),
    type: answers.type,
    port: String(answers.port),
    maxPayload: String(answers.maxPayload),
    pingInterval: String(answers.pingInterval),
    compression: answers.compression,
    serverNoContextTakeover: language.boolean(answers.serverNoContextTakeover),
    subprotocols: language.tokenList(tokensOf(answers)),
    closeCodes: serverCloseCodes(answers.features, answers.type),
    closeCodeTable: serverCloseCodeTable(answers.features, answers.type),
    allCloseCodes: serverCloseCodes(FEATURES, 'collab'),
    allCloseCodeTable: serverCloseCodeTable(FEATURES, 'collab'),
    contractTests:
      answers.type === 'collab' || isOfProtocols(answers.type) ? '' : ' test/contract.mjs',
    describe: isOfProtocols(answers.type) ? '' : ' && node dist/src/asyncapi.js',
    subprotocolNames:
      tokensOf(answers)
        .map((name) => `\`${name}\``)
        .join(', ') || 'none',
  };
}

/** What a client that offers no subprotocol may say. */
function probeOf(answers: Answers): Manifest['contract']['probe'] {
  const [first] = protocolsOf(answers);
  if (isOfProtocols(answers.type) && first !== undefined) return PROTOCOLS[first].probe;
  return { send: '{"type":"ping","id":"probe"}', expect: '{"type":"pong","id":"probe"}' };
}

function manifestOf(
  answers: Answers,
  made: {
    readonly commands: Manifest['commands'];
    readonly files: ReadonlyMap<string, string>;
    readonly userFiles: string[];
  },
): Manifest {
  const { language, type, name, port, compression, serverNoContextTakeover } = answers;
  const { subprotocols, features, maxPayload, pingInterval } = answers;
  const limits = { maxPayload, pingInterval };
  const choices = { compression, serverNoContextTakeover, subprotocols, features };
  const { installed, listening, toolchain }: Language = LANGUAGES[language];
  return {
    generator: 'websocket-skill',
    version: VERSION,
    language,
    type,
    answers: { language, type, name, port, ...choices, ...limits },
    commands: made.commands,
    ...(toolchain !== undefined && { toolchain }),
    installed: made.commands.install === null ? [] : installed,
    listening,
    contract: {
      path: answers.type === 'collab' ? '/collab/test' : '/',
      echo: type === 'echo',
      maxPayload: isOfCommands(type) ? Math.min(maxPayload, MAX_COMMAND_BYTES) : maxPayload,
      subprotocols: tokensOf(answers),
      health: '/healthz',
      ready: '/readyz',
      ...(type !== 'echo' && {
        probe: probeOf(answers),
      }),
    },
    files: hashesOf(made.files),
    userFiles: made.userFiles.sort(),
  };
}
