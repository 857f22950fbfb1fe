import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readmeExamples } from '@hmm/checks';
import ts from 'typescript';
import { filesBelow, repositoryText, ROOT } from './repository.js';

const FOLDER = join(ROOT, 'tools/site/.examples');

const TSCONFIG = {
  extends: '../../../tsconfig.base.json',
  compilerOptions: { types: ['node'] },
  include: ['*.ts'],
};

const SCRIPT = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };

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
  const compiled = run([tsc, '-p', FOLDER]);
  if (compiled.status !== 0) return [`examples of docs do not compile:\n${compiled.stdout}`];
  return examples.flatMap(({ where, file, code, prints }) => {
    const script = file.replace(/\.ts$/, '.js');
    writeFileSync(script, ts.transpileModule(code, { compilerOptions: SCRIPT }).outputText);
    const { status, stdout, stderr } = run([script]);
    const printed = stdout.trimEnd().split('\n');
    if (status !== 0) return [`${where}: fails: ${stderr}`];
    const same = JSON.stringify(printed) === JSON.stringify(prints);
    return same ? [] : [`${where}: says ${JSON.stringify(prints)}, prints ${JSON.stringify(printed)}`];
  });
}

function run(args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8', timeout: 300_000 });
}
