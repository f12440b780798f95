import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { commands } from '../../src/cli/commands.ts';
import { parseCommandLine } from '../../src/cli/parse.ts';
import { Settings } from '../../src/core/settings.ts';
import { resolveInput } from '../../src/core/derive/input.ts';

const manifest = new URL(
  '../../skills/websocket/references/distributed-benchmark.yaml',
  import.meta.url,
);
const documents = parseAllDocuments(readFileSync(manifest, 'utf8'));
const objects = documents.map((document) => document.toJS() as KubernetesObject);

interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args: readonly string[];
  readonly env: readonly {
    readonly name: string;
    readonly valueFrom: { readonly secretKeyRef?: { readonly name: string; readonly key: string } };
  }[];
  readonly resources: { readonly requests: object; readonly limits: object };
}

interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly selector?: { readonly app?: string; readonly matchLabels?: object };
    readonly ports?: readonly { readonly port: number }[];
    readonly parallelism?: number;
    readonly completions?: number;
    readonly podFailurePolicy?: object;
    readonly template?: {
      readonly metadata: { readonly labels: { readonly app: string } };
      readonly spec: { readonly restartPolicy?: string; readonly containers: readonly Container[] };
    };
  };
}

function find(kind: string, name: string): KubernetesObject {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
}

function containerOf(object: KubernetesObject): Container {
  const container = object.spec.template?.spec.containers[0];
  if (container === undefined) throw new Error(`${object.metadata.name} has no container`);
  return container;
}

/** What the program would be given, with variables as Kubernetes puts them in. */
async function inputOf(object: KubernetesObject): Promise<Record<string, unknown>> {
  const { command = [], args } = containerOf(object);
  expect(command.at(-1)).toBe('websocket-skill');
  const words = args.map((word) => word.replaceAll(/\$\(([A-Z_]+)\)/g, 'x'));
  const parsed = await parseCommandLine(words, { version: '', commands }, process.cwd());
  if ('text' in parsed) throw new Error(`not an invocation: ${words.join(' ')}`);
  return resolveInput(parsed.operation, parsed.args, Settings.parse({}), 'flag');
}

const service = find('Service', 'benchmark-redis');
const redis = find('Deployment', 'benchmark-redis');
const workers = find('Job', 'benchmark-workers');
const coordinator = find('Job', 'benchmark');

describe('the Kubernetes manifest for a distributed benchmark', () => {
  it('is YAML without faults, of four objects', () => {
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
    expect(objects.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`)).toEqual([
      'v1 Service',
      'apps/v1 Deployment',
      'batch/v1 Job',
      'batch/v1 Job',
    ]);
  });

  it('leads the service to the Redis that it starts', () => {
    const labels = redis.spec.template?.metadata.labels;
    expect(service.spec.selector).toEqual(labels);
    expect(redis.spec.selector?.matchLabels).toEqual(labels);
    expect(service.spec.ports).toEqual([{ port: 6379 }]);
  });

  it.each([redis, workers, coordinator])(
    'has containers with an image, limits and all variables that they use: $metadata.name',
    (object) => {
      const { image, args, env, resources } = containerOf(object);
      expect(image).toMatch(/^[a-z]+:[\w.-]+$/);
      expect(Object.keys(resources)).toEqual(['requests', 'limits']);
      const used = args.flatMap((word) => word.match(/(?<=\$\()[A-Z_]+(?=\))/g) ?? []);
      expect(env.map(({ name }) => name)).toEqual(expect.arrayContaining(used));
      const password = env.find(({ name }) => name === 'REDIS_PASSWORD');
      expect(password?.valueFrom.secretKeyRef).toEqual({
        name: 'benchmark-redis',
        key: 'password',
      });
    },
  );

  it('starts workers by a command line that is valid, each for one run', async () => {
    expect(await inputOf(workers)).toMatchObject({
      redis: 'redis://:x@benchmark-redis:6379',
      once: true,
      allowTargets: ['chat'],
    });
    expect(workers.spec.template?.spec.restartPolicy).toBe('OnFailure');
  });

  it('starts the benchmark by a command line that is valid, for as many workers as there are', async () => {
    const { parallelism, completions } = workers.spec;
    expect(await inputOf(coordinator)).toMatchObject({
      url: 'ws://chat:8080/',
      distributed: 'redis://:x@benchmark-redis:6379',
      remoteWorkers: parallelism,
      workerTimeoutMs: 300_000,
    });
    expect(completions).toBe(parallelism);
  });

  it('does not run the benchmark again because of its verdict', () => {
    // A policy for failed pods is valid for pods that are never restarted in place alone.
    expect(coordinator.spec.template?.spec.restartPolicy).toBe('Never');
    expect(coordinator.spec.podFailurePolicy).toEqual({
      rules: [
        {
          action: 'FailJob',
          onExitCodes: { containerName: 'benchmark', operator: 'NotIn', values: [3] },
        },
      ],
    });
  });

  it('installs what it runs, the job engine included', () => {
    for (const object of [workers, coordinator]) {
      const packages = containerOf(object).command?.filter((word) => word.startsWith('--package='));
      expect(packages).toEqual([
        '--package=websocket-skill',
        '--package=bullmq@6',
        '--package=ioredis@6',
      ]);
    }
  });
});
