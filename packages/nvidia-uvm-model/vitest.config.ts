import { defineConfig, mergeConfig } from 'vitest/config';
import shared from '@hmm/config/vitest';

// The model runs without time, with a standing clock and with measured costs: in one process each would be as slow as all together.
export default mergeConfig(shared, defineConfig({ test: { isolate: true } }));
