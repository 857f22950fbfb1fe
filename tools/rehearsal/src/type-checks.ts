import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type PackedPackage, unpack } from './tarball.js';

/** The compilers that a user may have, as this package depends on them: the oldest that is supported, one between, the newest. */
const COMPILERS = ['typescript-5.4', 'typescript-5.9', 'typescript'];

/** How a user's project resolves packages. */
const RESOLUTIONS = {
  node16: { module: 'node16', moduleResolution: 'node16' },
  bundler: { module: 'esnext', moduleResolution: 'bundler' },
};

/** Lines of a compiler that a complaint quotes. */
const SHOWN = 5;

const require = createRequire(import.meta.url);

/**
 * What each compiler says, under each resolution, of a project that imports every entry of the packed libraries and checks their
 * declarations too. A sentence for each combination that fails.
 */
export function typeComplaints(
  libraries: readonly PackedPackage[],
  externals: ReadonlyMap<string, string>,
  work: string,
): string[] {
  if (libraries.length === 0) return [];
  const project = join(work, 'types');
  for (const library of libraries) unpack(library, join(project, 'node_modules', library.name));
  for (const [name, folder] of externals) link(folder, join(project, 'node_modules', name));
  writeFileSync(join(project, 'package.json'), '{"type":"module","private":true}');
  writeFileSync(join(project, 'all.ts'), importsOf(libraries));
  return COMPILERS.flatMap((compiler) => {
    const { version } = require(`${compiler}/package.json`) as { version: string };
    const tsc = join(dirname(require.resolve(`${compiler}/package.json`)), 'bin/tsc');
    return Object.entries(RESOLUTIONS).flatMap(([name, resolution]) => {
      const said = compile(project, tsc, `tsconfig.${name}.json`, resolution);
      return said === undefined ? [] : [`under TypeScript ${version} with ${name}: ${said}`];
    });
  });
}

function compile(project: string, tsc: string, config: string, resolution: object): string | undefined {
  const compilerOptions = {
    target: 'es2022',
    lib: ['es2022', 'dom'],
    skipDefaultLibCheck: true,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    types: [],
    ...resolution,
  };
  writeFileSync(join(project, config), JSON.stringify({ compilerOptions, files: ['all.ts'] }));
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', config, '--pretty', 'false'], {
    cwd: project,
    encoding: 'utf8',
  });
  if (status === 0) return undefined;
  const lines = stdout.trim().split('\n');
  return `${lines.slice(0, SHOWN).join(' ')}${lines.length > SHOWN ? ` and ${lines.length - SHOWN} lines more` : ''}`;
}

function importsOf(libraries: readonly PackedPackage[]): string {
  const names = libraries.flatMap(({ name, manifest: { exports = {} } }) =>
    Object.entries(exports).flatMap(([path, entry]) =>
      typeof entry === 'string' ? [] : [`${name}${path.slice(1)}`],
    ),
  );
  const imports = names.map((name, i) => `import * as entry${i} from '${name}';`);
  return [
    ...imports,
    `export const all: readonly object[] = [${names.map((_, i) => `entry${i}`).join(', ')}];`,
    '',
  ].join('\n');
}

function link(folder: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(folder, path);
}
