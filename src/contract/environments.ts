/** Settings of a server by the names of their environment variables. */
export type Settings = Readonly<Record<string, string>>;

/** A million: a limit that no row reaches. */
const AMPLE = '1000000';

/** Nothing is in the way of rows that run at the same time, and what takes time takes little. */
const STANDARD: Settings = {
  RATE_LIMIT: AMPLE,
  RATE_BURST: AMPLE,
  HANDSHAKE_RATE: '100000',
  MAX_CONNECTIONS_PER_IP: '5000',
  MAX_ROOMS: '5000',
  MAX_ROOMS_PER_IP: '5000',
  MAX_TOPICS: '50000',
  MAX_DOCUMENTS: '5000',
  USER_RATE_LIMIT: AMPLE,
  USER_RATE_BURST: AMPLE,
  MAX_CONNECTIONS_PER_USER: '1000',
  AUTH_CLOCK_TOLERANCE: '0',
  PRESENCE_GRACE: '200',
  PING_INTERVAL: '30000',
  HISTORY_TTL: '600000',
};

/**
 * With which settings a project is started, once for all rows that name the environment. A `--url`
 * runs with settings of its own: it gets the rows of `standard`.
 */
export const ENVIRONMENTS: Readonly<Record<string, Settings>> = {
  standard: STANDARD,
  /** Small memories. */
  small: {
    ...STANDARD,
    MAX_BUFFERED: '65536',
    MAX_ROOM_MEMBERS: '3',
    MAX_ROOMS_PER_CLIENT: '5',
    MAX_SUBSCRIPTIONS_PER_CLIENT: '5',
    MAX_WATCHES_PER_CLIENT: '5',
    HISTORY_MESSAGES: '5',
    HISTORY_PATCHES: '5',
    HISTORY_BYTES: '8192',
    PRESENCE_GRACE: '60000',
  },
  /** Short time limits: for rows that wait for their end, as a busy machine may miss them. */
  brief: {
    ...STANDARD,
    PING_INTERVAL: '1000',
    MESSAGE_TIMEOUT: '1000',
    HANDSHAKE_TIMEOUT: '3000',
    AUTH_TIMEOUT: '1000',
    TICKET_TTL: '300',
    RESUME_WINDOW: '300',
  },
  /** Users of WAMP; see wamp-users.ts. */
  users: STANDARD,
  /** Low rates, few connections. */
  slow: {
    ...STANDARD,
    RATE_LIMIT: '50',
    RATE_BURST: '50',
    // A burst that does not grow back while a row runs, however slowly.
    USER_RATE_LIMIT: '1',
    USER_RATE_BURST: '10',
    MAX_CONNECTIONS_PER_USER: '2',
    MAX_CONNECTIONS_PER_IP: '40',
  },
  /** Room for few connections in total. */
  full: { ...STANDARD, MAX_CONNECTIONS: '5', MAX_CONNECTIONS_PER_IP: '5' },
  /** Nothing is open that was not opened. */
  closed: {
    ...STANDARD,
    CLIENT_PUBLISH: 'false',
    PUBLISH_TOKEN: '',
    ADMIN_TOKEN: '',
    METRICS_TOKEN: 'token-of-the-contract-for-metrics',
  },
  /** Load balancers get time to see that it stops. */
  draining: { ...STANDARD, DRAIN_DELAY: '400', DRAIN_TIMEOUT: '2000' },
};
