export { autobahnTest } from './autobahn-test.ts';
