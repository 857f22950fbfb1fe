// What the packages beside this one use and no version promises anything about. Everything else comes from index.ts.
export { Execution } from './engine/execution.js';
export { withoutStates, type Choices, type Outcome, type Violation } from './engine/model.js';
export type { Strategy } from './engine/strategy.js';
export { TEST_SETTINGS } from './litmus/test-settings.js';
export { recordedModel } from './observed/recorded-model.js';
export { Bounded } from './strategies/bounded.js';
export { Full } from './strategies/full.js';
export { Pct } from './strategies/pct.js';
export { RandomWalk } from './strategies/random.js';
export { Replay } from './strategies/replay.js';
export { CLIENT_SETTING, devicesByClient } from './world/client-devices.js';
export { knownSettings } from './world/known-settings.js';
export { entryText } from './world/view.js';
export { WorldModel } from './world/world-model.js';
