import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import { builtinRules } from 'eslint/use-at-your-own-risk';
import tseslint from 'typescript-eslint';

const browserSafe = 'The model runs in a browser worker: nothing of Node below @hmm/cli and @hmm/fleet.';

const maxLines = builtinRules.get('max-lines-per-function');

/** `max-lines-per-function` without the callbacks of `describe`: what these hold is a list of tests, not one thing that is done. */
const maxLinesPerFunction = {
  meta: maxLines.meta,
  create: (context) =>
    maxLines.create(
      Object.create(context, {
        report: {
          value: (found) => {
            if (!isSuite(found.node)) context.report(found);
          },
        },
      }),
    ),
};

/** Whether a function is handed to `describe(…)`, `describe.skipIf(…)(…)` or `describe.each(…)(…)`. */
function isSuite({ parent }) {
  let callee = parent?.type === 'CallExpression' ? parent.callee : undefined;
  while (callee?.type === 'CallExpression' || callee?.type === 'MemberExpression')
    callee = callee.callee ?? callee.object;
  return callee?.name === 'describe';
}

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
    plugins: { hmm: { rules: { 'max-lines-per-function': maxLinesPerFunction } } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'max-lines': ['error', { max: 400, skipBlankLines: false, skipComments: false }],
      'hmm/max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
      'max-params': ['error', { max: 6 }],
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
    ignores: ['packages/cli/src/**', 'packages/fleet/src/**'],
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
