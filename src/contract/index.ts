export {
  CONTRACT_TYPES,
  REALTIME_SECTIONS,
  REALTIME_TYPES,
  SECTIONS,
  SUBPROTOCOLS,
  contractsOf,
  isForeign,
} from './terms.ts';
export type { Row, RowResult } from './row.ts';
export type { ContractType, ForeignType } from './terms.ts';
export { ROWS } from './rows/index.ts';
export { newSecrets, runContract } from './run-contract.ts';
export type { ContractOptions } from './run-contract.ts';
export type { ContractServer, Known, Launch, Secrets } from './lab.ts';
export { OWN_TOOL, changedFiles } from './changed-files.ts';
export { userToken } from './token.ts';
