export { acceptExchange } from './accept-exchange.ts';
export { extendedCases } from './cases/index.ts';
export { dialExchange } from './dial-exchange.ts';
