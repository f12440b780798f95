import path from 'node:path';
import {
  ROWS,
  changedFiles,
  contractsOf,
  newSecrets,
  runContract,
} from '../../src/contract/index.ts';
import type { ContractOptions, RowResult } from '../../src/contract/index.ts';
import { readProject } from '../../src/target/project/index.ts';
import { startServerProcess } from './server-process.ts';

/**
 * Holds a generated project, as it was built, to rows of its contract; to all without `ids`. Rejects when the
 * server does not start.
 */
export async function runContractRows(
  project: string,
  ids?: readonly string[],
  timeoutMs = 5000,
  more: {
    readonly settings?: Readonly<Record<string, string>>;
    readonly names?: string;
    readonly known?: ContractOptions['known'];
  } = {},
): Promise<readonly RowResult[]> {
  const { manifest, root } = await readProject(project);
  const types = contractsOf(manifest.type, manifest.contract.subprotocols);
  if (types.length === 0) throw new Error(`${manifest.type} has no contract`);
  const { features } = manifest.answers;
  const [program, ...args] = manifest.commands.start;
  const { secrets, settings } = newSecrets();
  const { signal } = new AbortController();
  const options: Omit<ContractOptions, 'type'> = {
    rows: ROWS,
    features: Array.isArray(features) ? features.map(String) : [],
    subprotocols: manifest.contract.subprotocols,
    ...{ known: more.known, names: more.names, changed: changedFiles(root, manifest.files) },
    secrets,
    headers: [],
    tls: {},
    timeoutMs,
    signal,
    only: ({ id }) => ids?.includes(id) !== false,
    launch: async (own) => {
      const server = await startServerProcess(args, {
        cwd: root,
        env: { PYTHONPATH: path.join(root, 'src'), ...settings, ...own, ...more.settings },
        ...(program !== undefined && program !== 'node' && { program }),
      });
      return {
        url: `ws://127.0.0.1:${server.port}/`,
        stop: async () => {
          server.kill('SIGTERM');
          return Number(await server.exited);
        },
        [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
      };
    },
  };
  const results: RowResult[] = [];
  for (const type of types) results.push(...(await runContract({ ...options, type })));
  return results;
}
