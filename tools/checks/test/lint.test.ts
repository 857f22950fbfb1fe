import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';
import { describe, expect, it } from 'vitest';

const lint = new ESLint({
  cwd: fileURLToPath(new URL('../../..', import.meta.url)),
  overrideConfig: { files: ['**/*.ts'], languageOptions: { parserOptions: { projectService: false } } },
  ruleFilter: ({ ruleId }) => ruleId === 'max-params' || ruleId === 'hmm/max-lines-per-function',
});

async function rulesBroken(text: string, filePath = 'packages/mm/src/planted.ts'): Promise<unknown[]> {
  const results = await lint.lintText(text, { filePath });
  return results.flatMap(({ messages }) => messages.map(({ ruleId, message }) => ruleId ?? message));
}

const lines = (count: number): string => 'work();\n'.repeat(count);

describe('lint', () => {
  it('refuses a function of more than 60 lines, and lets one of 60 pass', async () => {
    expect(await rulesBroken(`function long(): void {\n${lines(59)}}\n`)).toEqual([
      'hmm/max-lines-per-function',
    ]);
    expect(await rulesBroken(`function short(): void {\n${lines(58)}}\n`)).toEqual([]);
  });

  it('counts no comments and no blank lines', async () => {
    expect(await rulesBroken(`function told(): void {\n${lines(58)}// why\n\n}\n`)).toEqual([]);
  });

  it('refuses more than six parameters', async () => {
    expect(await rulesBroken('function wide(a, b, c, d, e, f, g) {}\n')).toEqual(['max-params']);
    expect(await rulesBroken('function fits(a, b, c, d, e, f) {}\n')).toEqual([]);
  });

  it('lets suites be long, but no test', async () => {
    const test = 'packages/mm/test/planted.test.ts';
    for (const suite of ["describe('a'", "describe.each(rows)('a'", "describe.skipIf(true)('a'"])
      expect(await rulesBroken(`${suite}, () => {\n${lines(80)}});\n`, test)).toEqual([]);
    expect(await rulesBroken(`it('b', () => {\n${lines(80)}});\n`, test)).toEqual([
      'hmm/max-lines-per-function',
    ]);
  });

  it('refuses a directive that silences nothing', async () => {
    expect(await rulesBroken('// eslint-disable-next-line max-params -- none\nwork();\n')).toHaveLength(1);
  });
});
