import * as z from 'zod';

/** `.babysitter/skills/websocket.yaml` below its `websocket:` key, with every default filled in. */
export const Settings = z.strictObject({
  /** TCP port a generated server listens on when no flag names one. */
  defaultPort: z.int().min(1).max(65535).default(8080),
  /** Largest message in bytes, before and after inflation. */
  maxPayload: z.int().min(1).max(0x7fffffff).default(104_857_600),
  /** Milliseconds between two heartbeat pings. */
  pingInterval: z.int().min(100).max(3_600_000).default(30_000),
  compression: z
    .strictObject({
      /** Whether permessage-deflate (RFC 7692) is offered and accepted. */
      enabled: z.boolean().default(true),
      /** Whether the server forgets its window after each message. */
      serverNoContextTakeover: z.boolean().default(true),
    })
    .prefault({}),
  /** Subprotocol names (RFC 6455 section 1.9) in the server's order of preference. */
  subprotocols: z
    .array(z.string().regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, 'expected a token (RFC 9110 5.6.2)'))
    .default([]),
});
export type Settings = z.output<typeof Settings>;
