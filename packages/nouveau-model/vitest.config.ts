import { defineConfig, mergeConfig } from 'vitest/config';
import shared from '@hmm/config/vitest';

// Its contract, its recordings and its schedules use the model in many ways: in one process each would be as slow as all together.
export default mergeConfig(shared, defineConfig({ test: { isolate: true } }));
