import { defineConfig } from 'eslint/config';
import config from './eslint.config.js';

// The whole tree at once: two programs instead of one a package, each of which would read the packages below it again.
export default defineConfig(config, {
  languageOptions: {
    parserOptions: {
      projectService: false,
      project: ['tsconfig.all.json', 'apps/explorer/tsconfig.json'],
      tsconfigRootDir: import.meta.dirname,
    },
  },
});
