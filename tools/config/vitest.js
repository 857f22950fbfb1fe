import { defineConfig } from 'vitest/config';

// Tests run against the sources of all workspace packages (condition `@hmm/source`),
// so that no build has to come first; the JSON report feeds the summed last line of `npm test`.
const conditions = ['@hmm/source', 'module', 'node', 'import', 'default'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', ['json', { outputFile: '.vitest/results.json' }]],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
