import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readmeExamples } from '@hmm/checks';
import { filesBelow, repositoryText, ROOT } from './repository.js';

const FOLDER = join(ROOT, 'tools/site/.examples');

const TSCONFIG = {
  extends: '../../../tsconfig.base.json',
  compilerOptions: { types: ['node'] },
  include: ['*.ts'],
};

/** A sentence for each example of the pages below `docs` that does not type-check, or prints what it does not say. */
export function exampleComplaints(): string[] {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  const examples = filesBelow('docs', '.md').flatMap((file) =>
    readmeExamples(repositoryText(`docs/${file}`)).map((example) => ({
      ...example,
      where: `docs/${file}:${example.line}`,
      file: join(FOLDER, `${file.replaceAll(/\W/g, '-')}-${example.line}.ts`),
    })),
  );
  for (const { file, code } of examples) writeFileSync(file, code);
  writeFileSync(join(FOLDER, 'tsconfig.json'), JSON.stringify(TSCONFIG));
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const compiled = run([tsc, '-p', FOLDER, '--noEmit', 'false', '--outDir', FOLDER]);
  if (compiled.status !== 0) return [`examples of docs do not compile:\n${compiled.stdout}`];
  return examples.flatMap(({ where, file, prints }) => {
    const { status, stdout, stderr } = run([file.replace(/\.ts$/, '.js')]);
    const printed = stdout.trimEnd().split('\n');
    if (status !== 0) return [`${where}: fails: ${stderr}`];
    const same = JSON.stringify(printed) === JSON.stringify(prints);
    return same ? [] : [`${where}: says ${JSON.stringify(prints)}, prints ${JSON.stringify(printed)}`];
  });
}

function run(args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8', timeout: 300_000 });
}
