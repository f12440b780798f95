export { CLIENT_CASES } from './cases.ts';
export { runClientContract } from './run-client-contract.ts';
export type { ClientContractOptions, ClientResult } from './run-client-contract.ts';
