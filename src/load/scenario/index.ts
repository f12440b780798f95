export { checkScenario } from './scenario.ts';
export { BUILT_IN_SCENARIOS, loadScenario } from './load-scenario.ts';
export { parseScenario } from './parse/parse-scenario.ts';
export type { Scenario } from './scenario.ts';
