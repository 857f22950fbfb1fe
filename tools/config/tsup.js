// The build of every package: one ESM bundle per entry, with types.
// HMM_BUILD=js leaves the types out: to run the command needs none, and they are nine tenths of the time.
// Under turbo the packages below are built already: their declarations are read, which is faster than their sources.
// tsup 8 sets baseUrl itself, which TypeScript 6 calls deprecated.
const customConditions = process.env.TURBO_HASH === undefined ? ['@hmm/source'] : [];
const dts =
  process.env.HMM_BUILD === 'js'
    ? false
    : { compilerOptions: { ignoreDeprecations: '6.0', customConditions } };

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
