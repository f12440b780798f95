import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { cannotListen } from '../../core/errors.ts';
import { createRejection, createResponse } from '../../protocol/index.ts';
import { Wire, readHead } from '../../transport/index.ts';
import type { CaseDefinition, CaseTask } from '../case.ts';
import { close, message } from '../autobahn/cases/builders.ts';
import { CaseConnection } from '../autobahn/connection.ts';
import { BY_TESTER } from '../autobahn/case-handler.ts';
import { DeflateCache } from '../autobahn/corpus/deflate-cache.ts';
import { acceptExchange } from '../extended/index.ts';
import type { PeerRequest } from '../observation.ts';
import type { CaseResult } from '../result.ts';
import { acceptCase, requestProblem } from './accept-case.ts';
import { drive } from './socket-driver.ts';

/** Milliseconds a client has for its request. */
const OPEN_TIMEOUT_MS = 5000;

export interface FuzzingServerOptions {
  /** The selected cases in order; a client asks for them by their place in this list, from 1. */
  readonly cases: readonly CaseDefinition[];
  readonly quick: boolean;
  /** 0: the system picks one. */
  readonly port: number;
  readonly host: string;
  readonly onResult: (result: CaseResult) => void;
  /** A client wants its report; what it waits for. */
  readonly onReport: () => Promise<void>;
  /** A client wants the server to stop. */
  readonly onStop: () => void;
}

/**
 * Autobahn's fuzzing server: clients connect, ask for a case by its number and are tested.
 *
 * It speaks the paths that drivers of clients use: /getCaseCount, /runCase, /getCaseInfo,
 * /getCaseStatus, /updateReports and /stopServer.
 */
export class FuzzingServer implements AsyncDisposable {
  readonly #options: FuzzingServerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #cache = new DeflateCache();
  readonly #waiting = new Map<string, ((result: CaseResult) => void)[]>();
  readonly #results = new Map<string, CaseResult>();

  private constructor(options: FuzzingServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => void this.#serve(socket));
  }

  /** Throws `EnvironmentError` WSK_ERR_LISTEN if the port cannot be had. */
  static async listen(options: FuzzingServerOptions): Promise<FuzzingServer> {
    const fuzzing = new FuzzingServer(options);
    const { host, port } = options;
    await new Promise<void>((resolve, reject) => {
      fuzzing.#server.once('error', (cause: NodeJS.ErrnoException) => {
        reject(cannotListen(host, port, cause));
      });
      fuzzing.#server.listen(port, host, resolve);
    });
    return fuzzing;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) =>
      this.#server.close(() => {
        resolve();
      }),
    );
  }

  async #serve(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const wire = new Wire(socket);
    const result = await readHead(wire, 'request', OPEN_TIMEOUT_MS);
    if (!('head' in result)) {
      wire.destroy();
      return;
    }
    const problem = requestProblem(result.head);
    const request = { head: result.head, text: result.received.toString('latin1') };
    if (problem === undefined) await this.#route(wire, request);
    else refuse(wire, 400, problem);
  }

  async #route(wire: Wire, request: PeerRequest): Promise<void> {
    const { pathname, searchParams } = new URL(request.head.target, 'http://tester');
    switch (pathname) {
      case '/getCaseCount':
        return say(wire, request, String(this.#options.cases.length));
      case '/runCase':
        return this.#runCase(wire, request, searchParams);
      case '/getCaseInfo':
        return this.#sayInfo(wire, request, searchParams);
      case '/getCaseStatus':
        return this.#sayStatus(wire, request, searchParams);
      case '/updateReports':
        await this.#options.onReport();
        await say(wire, request, undefined);
        if (/^(?:true|yes)$/.test(searchParams.get('shutdownOnComplete') ?? ''))
          this.#options.onStop();
        return;
      case '/stopServer':
        wire.destroy();
        this.#options.onStop();
        return;
      default:
        refuse(wire, 404, `${pathname} is none of the paths of a fuzzing server`);
    }
  }

  async #runCase(wire: Wire, request: PeerRequest, query: URLSearchParams): Promise<void> {
    const task = this.#taskOf(query);
    const agent = query.get('agent');
    if (task === undefined || agent === null) {
      refuse(wire, 500, 'expected ?case=<number> or ?casetuple=<id>, and &agent=<name>');
      return;
    }
    const key = keyOf(agent, task);
    this.#results.delete(key);
    const { script } = task.definition;
    const result = await (script.kind === 'exchange'
      ? acceptExchange(wire, request, { task, script, agent })
      : acceptCase(wire, request, task, { agent, cache: this.#cache }));
    this.#results.set(key, result);
    this.#options.onResult(result);
    for (const tell of this.#waiting.get(key) ?? []) tell(result);
    this.#waiting.delete(key);
  }

  async #sayInfo(wire: Wire, request: PeerRequest, query: URLSearchParams): Promise<void> {
    const task = this.#taskOf(query);
    if (task === undefined) {
      refuse(wire, 500, 'expected ?case=<number>');
      return;
    }
    const { id, description } = task.definition;
    await say(wire, request, JSON.stringify({ id, description }));
  }

  async #sayStatus(wire: Wire, request: PeerRequest, query: URLSearchParams): Promise<void> {
    const task = this.#taskOf(query);
    const agent = query.get('agent');
    if (task === undefined || agent === null) {
      refuse(wire, 500, 'expected ?case=<number> and &agent=<name>');
      return;
    }
    const key = keyOf(agent, task);
    const result =
      this.#results.get(key) ??
      (await new Promise<CaseResult>((resolve) => {
        this.#waiting.set(key, [...(this.#waiting.get(key) ?? []), resolve]);
      }));
    await say(wire, request, JSON.stringify({ behavior: result.behavior }));
  }

  #taskOf(query: URLSearchParams): CaseTask | undefined {
    const { cases, quick } = this.#options;
    const tuple = query.get('casetuple');
    const index =
      tuple === null
        ? Number(query.get('case') ?? 0) - 1
        : cases.findIndex(({ id }) => id === tuple);
    const definition = cases[index];
    return definition && { definition, number: index + 1, quick };
  }
}

function keyOf(agent: string, { definition }: CaseTask): string {
  return `${definition.id} ${agent}`;
}

function refuse(wire: Wire, status: number, reason: string): void {
  wire.socket.end(createRejection({ status, body: reason }));
}

/** Accepts the connection, says `text`, if there is any, and closes without a code. */
async function say(wire: Wire, request: PeerRequest, text: string | undefined): Promise<void> {
  const definition: CaseDefinition = {
    id: 'say',
    title: 'an answer of the fuzzing server',
    rfc: '6455#7.1.2',
    description: '',
    expectation: '',
    script: {
      kind: 'events',
      send: [...(text === undefined ? [] : [message(text)]), close()],
      expect: { OK: [] },
      close: BY_TESTER,
    },
  };
  wire.socket.write(createResponse({ request: request.head }));
  const connection = new CaseConnection({
    definition,
    role: 'server',
    maskSource: () => Buffer.alloc(4),
    now: performance.now(),
  });
  await drive(wire, connection);
}
