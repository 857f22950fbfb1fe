import { defineConfig, mergeConfig } from 'vitest/config';
import shared from '@hmm/config/vitest';

// The browser's tests mostly wait for the browser.
export default mergeConfig(shared, defineConfig({ test: { maxWorkers: 2 } }));
