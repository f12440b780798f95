import type { Extension, ExtensionParam } from '../http/extension-header.ts';
import { quote } from '../http/http-grammar.ts';

/** The extension's registered name: RFC 7692 section 7. */
export const DEFLATE_EXTENSION = 'permessage-deflate';

/** The parameters of one offer or response, all four of RFC 7692 section 7.1. */
export interface DeflateParams {
  readonly serverNoContextTakeover: boolean;
  readonly clientNoContextTakeover: boolean;
  readonly serverMaxWindowBits: number | undefined;
  /** `true`: named without a value, as only an offer may. */
  readonly clientMaxWindowBits: number | true | undefined;
}

/** Which of the rules of section 7.1 a parameter breaks. */
export type DeflateFlaw = 'unknown' | 'repeated' | 'value';

export interface ParsedDeflate {
  readonly params: DeflateParams;
  /** Empty if the parameters are legal. */
  readonly flaws: readonly { readonly kind: DeflateFlaw; readonly text: string }[];
}

const FLAGS = ['server_no_context_takeover', 'client_no_context_takeover'];
const WINDOWS = ['server_max_window_bits', 'client_max_window_bits'];

/** 7.1.2.1: "a decimal integer value without leading zeroes between 8 to 15, inclusive". */
const WINDOW_BITS = /^(?:[89]|1[0-5])$/;

/** Reads the parameters of permessage-deflate and lists what is illegal in them. */
export function parseDeflate(extension: Extension, from: 'request' | 'response'): ParsedDeflate {
  const names = extension.params.map((param) => param.name);
  const flaws = extension.params.flatMap((param, index) => {
    const kind = names.indexOf(param.name) < index ? ('repeated' as const) : findFlaw(param, from);
    return kind === undefined ? [] : [{ kind, text: quote(formatParam(param)) }];
  });
  const valueOf = (name: string) => extension.params.find((param) => param.name === name)?.value;
  const clientBits = valueOf('client_max_window_bits');
  return {
    flaws,
    params: {
      serverNoContextTakeover: names.includes('server_no_context_takeover'),
      clientNoContextTakeover: names.includes('client_no_context_takeover'),
      serverMaxWindowBits: toBits(valueOf('server_max_window_bits')),
      clientMaxWindowBits:
        toBits(clientBits) ?? (names.includes('client_max_window_bits') ? true : undefined),
    },
  };
}

/** Writes parameters as an extension for `formatExtensions`. */
export function toExtension(params: Partial<DeflateParams>): Extension {
  const list: ExtensionParam[] = [];
  if (params.serverNoContextTakeover === true) list.push({ name: 'server_no_context_takeover' });
  if (params.clientNoContextTakeover === true) list.push({ name: 'client_no_context_takeover' });
  if (params.serverMaxWindowBits !== undefined) {
    list.push({ name: 'server_max_window_bits', value: String(params.serverMaxWindowBits) });
  }
  if (params.clientMaxWindowBits === true) list.push({ name: 'client_max_window_bits' });
  else if (params.clientMaxWindowBits !== undefined) {
    list.push({ name: 'client_max_window_bits', value: String(params.clientMaxWindowBits) });
  }
  return { name: DEFLATE_EXTENSION, params: list };
}

function findFlaw(param: ExtensionParam, from: 'request' | 'response'): DeflateFlaw | undefined {
  if (FLAGS.includes(param.name)) return param.value === undefined ? undefined : 'value';
  if (!WINDOWS.includes(param.name)) return 'unknown';
  if (param.value !== undefined) return WINDOW_BITS.test(param.value) ? undefined : 'value';
  // 7.1.2.2: in an offer, client_max_window_bits may stand without a value.
  return param.name === 'client_max_window_bits' && from === 'request' ? undefined : 'value';
}

function toBits(value: string | undefined): number | undefined {
  return value !== undefined && WINDOW_BITS.test(value) ? Number(value) : undefined;
}

function formatParam({ name, value }: ExtensionParam): string {
  return value === undefined ? name : `${name}=${value}`;
}
