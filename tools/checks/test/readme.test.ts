import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readmeExamples, runReadmeExamples } from '../src/index.js';

const fence = (code: string, info = 'ts') => `\`\`\`${info}\n${code}\n\`\`\`\n`;

const made: string[] = [];

afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true });
});

function packageWith(readme: string): string {
  const parent = join(import.meta.dirname, '..', '.vitest');
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'package-'));
  made.push(folder);
  writeFileSync(join(folder, 'README.md'), readme);
  return folder;
}

describe('examples of a README', () => {
  it('are its ts fences, with the lines they say they print', () => {
    const readme = `# Title\n\n${fence('console.log(2 + 3); // → 5')}\n${fence('sh', 'sh')}${fence('x', 'ts no-run')}`;
    expect(readmeExamples(readme)).toEqual([
      { line: 3, code: 'console.log(2 + 3); // → 5\n', prints: ['5'] },
    ]);
  });

  it('are run as modules, and what they print is told', async () => {
    const folder = packageWith(
      fence('const value: number = 5;\nconsole.log("gpu reads", value); // → gpu reads 5'),
    );
    const [run] = await runReadmeExamples(folder);
    expect(run?.printed).toEqual(['gpu reads 5']);
    expect(run?.printed).toEqual(run?.example.prints);
  });

  it('may not be missing, nor state nothing, nor throw unseen', async () => {
    await expect(runReadmeExamples(packageWith('# nothing'))).rejects.toThrow('no ```ts example');
    await expect(runReadmeExamples(packageWith(fence('console.log(1);')))).rejects.toThrow('README.md:1');
    await expect(runReadmeExamples(packageWith(fence('throw new Error("boom"); // → 1')))).rejects.toThrow(
      'boom',
    );
  });
});
