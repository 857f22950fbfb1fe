import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refusals } from '../src/refusals.js';
import { packFolder, type PackedPackage, readTarball } from '../src/tarball.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hmm-refusals-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const ENTRY = { types: './index.d.ts', import: './index.js' };
const CODE = 'export const five = 5;\n';
const TYPES = 'export declare const five: number;\n';

/** A package with what is broken in it over what is right. */
function packed(name: string, manifest: object, files: Readonly<Record<string, string>> = {}): PackedPackage {
  const at = join(folder, name);
  const whole = {
    name,
    version: '1.0.0',
    license: 'MIT',
    type: 'module',
    exports: { '.': ENTRY },
    ...manifest,
  };
  const all = {
    'index.js': CODE,
    'index.d.ts': TYPES,
    LICENSE: 'MIT\n',
    'README.md': `# ${name}\n`,
    ...files,
  };
  for (const [file, text] of Object.entries({ ...all, 'package.json': JSON.stringify(whole) })) {
    if (text === '') continue;
    mkdirSync(dirname(join(at, file)), { recursive: true });
    writeFileSync(join(at, file), text);
  }
  const tarball = join(folder, `${name}-1.0.0.tgz`);
  packFolder(at, tarball);
  return readTarball(tarball);
}

async function refused(name: string, ...packages: readonly PackedPackage[]): Promise<string[]> {
  const work = join(folder, `work-${name}`);
  mkdirSync(work);
  return await refusals(packages, new Map(), work);
}

describe('a package is refused', () => {
  it('that would publish ranges of the workspace, or lacks a licence', async () => {
    const only = { exports: {} };
    const found = await refused(
      'manifests',
      packed('ranged', { ...only, dependencies: { other: 'workspace:^' } }),
      packed('catalogued', { ...only, peerDependencies: { other: 'catalog:' } }),
      packed('unlicensed', { ...only, license: undefined }),
      packed('textless', only, { LICENSE: '' }),
      packed('whole', only),
    );
    expect(found).toEqual([
      'ranged-1.0.0.tgz: it asks for other as "workspace:^", which nobody else understands',
      'catalogued-1.0.0.tgz: it asks for other as "catalog:", which nobody else understands',
      'unlicensed-1.0.0.tgz: its package.json names no licence',
      'textless-1.0.0.tgz: it comes without the file LICENSE',
    ]);
  });

  it('whose types break under node16, under bundler, under TypeScript 5.4 or under TypeScript 6', async () => {
    const inNode = { exports: { '.': { node: ENTRY } } };
    const found = await refused(
      'types',
      packed('node16-breaks', {}, { 'index.d.ts': "export * from './five';\n", 'five.d.ts': TYPES }),
      packed('bundler-breaks', inNode),
      packed('old-breaks', {}, { 'index.d.ts': 'export declare const five: BuiltinIteratorReturn;\n' }),
      packed('new-breaks', {}, { 'index.d.ts': 'export declare module five {\n  const five: number;\n}\n' }),
      packed('whole', {}),
    );
    const under = (compiler: string, resolution: string): string =>
      found.find((line) => line.includes(`TypeScript ${compiler}`) && line.includes(`with ${resolution}`)) ??
      '';
    const names = (line: string): string[] =>
      ['node16-breaks', 'bundler-breaks', 'old-breaks', 'new-breaks', 'whole'].filter((name) =>
        line.includes(name),
      );
    expect({
      oldNode16: names(under('5.4', 'node16')),
      oldBundler: names(under('5.4', 'bundler')),
      newNode16: names(under('6.0', 'node16')),
      newBundler: names(under('6.0', 'bundler')),
    }).toEqual({
      oldNode16: ['node16-breaks', 'old-breaks'],
      oldBundler: ['bundler-breaks', 'old-breaks'],
      newNode16: ['node16-breaks', 'new-breaks'],
      newBundler: ['bundler-breaks', 'new-breaks'],
    });
  }, 180_000);
});
