import { defineConfig } from 'eslint/config';
import config from './eslint.config.js';

// The whole tree at once: one program instead of one a package, each of which would read the packages below it again. It knows
// the browser's types everywhere, as the explorer needs them; the compiler checks each package with its own.
export default defineConfig(config, {
  languageOptions: {
    parserOptions: {
      projectService: false,
      project: ['tsconfig.lint.json'],
      tsconfigRootDir: import.meta.dirname,
    },
  },
});
