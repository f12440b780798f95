/** A message of the server; it is decoded and parsed on first use. */
export class IncomingMessage {
  readonly opcode: 1 | 2;
  readonly data: Buffer;
  /** When its last bytes came, in milliseconds on the common clock. */
  readonly atMs: number;
  /** Whether it is kept because a step that is still to come expects it. */
  isWanted = false;
  #text: string | undefined;
  #json: { readonly value: unknown } | undefined;

  constructor(opcode: 1 | 2, data: Buffer, atMs: number) {
    this.opcode = opcode;
    this.data = data;
    this.atMs = atMs;
  }

  get text(): string {
    this.#text ??= this.data.toString('utf8');
    return this.#text;
  }

  /** The value of a JSON text; undefined for anything else. */
  get json(): unknown {
    this.#json ??= { value: this.opcode === 1 ? parse(this.text) : undefined };
    return this.#json.value;
  }

  /** Its start, for error texts. */
  get words(): string {
    if (this.opcode === 2) return `binary 0x${this.data.subarray(0, 24).toString('hex')}`;
    return this.text.length > 120 ? `${this.text.slice(0, 117)}...` : this.text;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
