import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packComplaints } from '../src/pack.js';

const tsc = fileURLToPath(new URL('../../../node_modules/typescript/bin/tsc', import.meta.url));

let root = '';

function write(file: string, content: string | object): void {
  const path = join(root, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
}

interface Planted {
  readonly name: string;
  readonly code: string;
  readonly types?: string;
  readonly example: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

function library({
  name,
  code,
  types = 'export declare const five: number;',
  example,
  dependencies = {},
}: Planted): void {
  write(`packages/${name}/package.json`, {
    name: `@hmm/${name}`,
    version: '0.1.0',
    type: 'module',
    exports: { '.': { types: './dist/index.d.ts', import: './dist/index.js' } },
    files: ['dist'],
    dependencies,
  });
  write(`packages/${name}/dist/index.js`, code);
  write(`packages/${name}/dist/index.d.ts`, types);
  write(`packages/${name}/README.md`, `# ${name}\n\n\`\`\`ts\n${example}\n\`\`\`\n`);
}

const useFive = (name: string, printed: string) =>
  `import { five } from '@hmm/${name}';\nconsole.log(five); // → ${printed}`;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'hmm-pack-test-'));
  write('package.json', { private: true });
  write('pnpm-workspace.yaml', 'packages: [packages/*]\n');
  const again = "export { five } from '@hmm/base';";
  library({ name: 'base', code: 'export const five = 5;', example: useFive('base', '5') });
  library({
    name: 'user',
    code: again,
    example: useFive('user', '5'),
    dependencies: { '@hmm/base': 'workspace:^' },
  });
  library({ name: 'undeclared', code: again, example: useFive('undeclared', '5') });
  library({ name: 'liar', code: 'export const five = 4;', example: useFive('liar', '5') });
  library({
    name: 'untyped',
    code: 'export const five = 5;',
    types: 'export {};',
    example: useFive('untyped', '5'),
  });
  library({ name: 'adrift', code: 'export const five = 5;', example: useFive('adrift', '5') });
  const adrift = JSON.parse(readFileSync(join(root, 'packages/adrift/package.json'), 'utf8')) as object;
  const lost = { types: './dist/index.d.ts', import: './dist/lost.js' };
  const exports = { '.': { types: './dist/index.d.ts', import: './dist/index.js' }, './lost': lost };
  write('packages/adrift/package.json', { ...adrift, exports });
  library({ name: 'silent', code: 'export const five = 5;', example: '' });
  write('packages/silent/README.md', '# silent\n');
  // Packing turns workspace:^ into the version that is linked.
  spawnSync('pnpm', ['install', '--offline'], { cwd: root });
});

afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

describe('packed libraries, each in an empty project', () => {
  it('fail for an undeclared import, a missing file, missing types, a README that lies or has no example; others pass', async () => {
    const work = join(root, 'work');
    mkdirSync(work);
    const complaints = await packComplaints(root, work, tsc);
    expect(complaints).toEqual([
      expect.stringMatching(/^@hmm\/silent: its README has no/),
      expect.stringMatching(/^hmm-adrift-0\.1\.0\.tgz: .*lost\.js but the file does not exist/),
      expect.stringMatching(/untyped.*has no exported member 'five'/s),
      '@hmm/liar README.md:3: says ["5"], prints ["4"]',
      expect.stringMatching(
        /^@hmm\/undeclared README\.md:3: fails in an empty project: .*Cannot find package '@hmm\/base'/s,
      ),
    ]);
  });
});
