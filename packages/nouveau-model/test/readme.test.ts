import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runReadmeExamples } from '@hmm/checks';
import { expect, it } from 'vitest';

it('prints what the README says', async () => {
  for (const { example, printed } of await runReadmeExamples()) expect(printed).toEqual(example.prints);
});

it('names tests that exist in its table of rules', () => {
  const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
  const [, rules = ''] =
    /## Rule by rule\n(.*?)\n## What is left out/s.exec(readFileSync(here('../README.md'), 'utf8')) ?? [];
  const rows = rules.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| ---'));
  const conformance = readFileSync(here('conformance.test.ts'), 'utf8');
  expect(rows.length).toBeGreaterThan(25);
  for (const row of rows.filter((line) => !/^\| (rule|defect) +\|/.test(line))) {
    const cell = row.split('|').at(-2) ?? '';
    const files = [...cell.matchAll(/`([\w.-]+)`/g)].map(([, name = '']) => name);
    const scenarios = [...cell.matchAll(/14\.\d/g)].map(([text]) => text);
    expect(files.length + scenarios.length, row).toBeGreaterThan(0);
    for (const name of files) expect(existsSync(here(`${name}.test.ts`)), row).toBe(true);
    for (const number of scenarios) expect(conformance.includes(`test('${number} `), row).toBe(true);
  }
});
