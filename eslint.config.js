import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

const browserSafe = 'The model runs in a browser worker: nothing of Node below @hmm/cli.';

export default defineConfig(
  {
    ignores: [
      '**/dist/**',
      '**/.vitest/**',
      '**/.bench/**',
      '**/*.config.ts',
      '**/*.mjs',
      '**/*.js',
      '**/*.cjs',
    ],
  },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'max-lines': ['error', { max: 400, skipBlankLines: false, skipComments: false }],
      // Kernel style: a loop that only ends from inside, and numbers in messages.
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // Generators are tasks here: some have no scheduling point of their own.
      'require-yield': 'off',
    },
  },
  {
    files: ['packages/*/src/**'],
    ignores: ['packages/cli/src/**'],
    rules: {
      'no-restricted-imports': ['error', { patterns: [{ group: ['node:*'], message: browserSafe }] }],
      // Tests bring Node's types into the same program, so the compiler alone would not notice these.
      'no-restricted-globals': [
        'error',
        ...['process', 'Buffer', 'global', 'require', '__dirname', '__filename', 'setImmediate'].map(
          (name) => ({
            name,
            message: browserSafe,
          }),
        ),
      ],
    },
  },
);
