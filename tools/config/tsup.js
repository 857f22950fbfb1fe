// The build of every package: one ESM bundle per entry, with types.
// tsup 8 sets baseUrl itself, which TypeScript 6 calls deprecated.
const dts = { compilerOptions: { ignoreDeprecations: '6.0' } };

/** @param {string[] | Record<string, string>} entry */
export const library = (entry) => ({
  entry,
  format: ['esm'],
  target: 'es2022',
  sourcemap: true,
  clean: true,
  dts,
});

/** @param {string[] | Record<string, string>} entry */
export const app = (entry) => ({
  entry,
  format: ['esm'],
  target: 'node20',
  platform: 'node',
  sourcemap: true,
  clean: true,
  banner: { js: '#!/usr/bin/env node' },
});
