import { defineConfig, mergeConfig } from 'vitest/config';
import shared from '@hmm/config/vitest';

// Numbers of events are given out in the order in which events are defined, and some tests name them.
export default mergeConfig(shared, defineConfig({ test: { isolate: true } }));
