export { acceptExchange } from './accept-exchange.ts';
export { extendedCases } from './cases/index.ts';
export { dialExchange, observeServer } from './dial-exchange.ts';
