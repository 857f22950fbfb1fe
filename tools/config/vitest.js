import { env } from 'node:process';
import { defineConfig } from 'vitest/config';

// Tests run against the sources of all workspace packages (condition `@hmm/source`), so that no build has to come first.
// `npm test` builds first and has them run against what was built: that is what is published, and several times as fast,
// since modules that vitest does not transform keep their bindings. The JSON report feeds its summed last line.
const built = env['HMM_TEST_BUILT'] === '1';
const conditions = [...(built ? [] : ['@hmm/source']), 'module', 'node', 'import', 'default'];
const external = built ? [/\/(?:packages|apps)\/[^/]+\/dist\//] : [];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', ['json', { outputFile: '.vitest/results.json' }]],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    server: { deps: { external } },
    // `npm test` runs the packages beside each other, and the files of one in one process, with its modules loaded and compiled
    // once: no module has state that a test could leave behind.
    ...(built ? { maxWorkers: 1, isolate: false } : {}),
  },
});
