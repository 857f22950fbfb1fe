import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { publishComplaints } from './publish.js';
import { readmeExamples } from './readme.js';

/** A library of the workspace. */
export interface Library {
  readonly name: string;
  readonly folder: string;
  /** Names of what it depends on at run time. */
  readonly dependencies: readonly string[];
}

/** Folders of the workspace in which libraries are. */
const GROUPS = ['packages', 'tools'];

/** The libraries of the workspace at `root`: what is packed and published from `packages/` and `tools/`. */
export function libraries(root: string): Library[] {
  const folders = GROUPS.map((group) => join(root, group)).filter((group) => existsSync(group));
  const members = folders.flatMap((group) => readdirSync(group).map((name) => join(group, name)));
  return members.flatMap((folder) => {
    const path = join(folder, 'package.json');
    if (!existsSync(path)) return [];
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as {
      name: string;
      private?: boolean;
      dependencies?: Record<string, string>;
    };
    if (manifest.private === true) return [];
    return [{ name: manifest.name, folder, dependencies: Object.keys(manifest.dependencies ?? {}) }];
  });
}

/**
 * Packs every library, installs each into an empty project of its own below `work` (outside the workspace) with
 * nothing but what its manifest declares, and compiles and runs its README's examples there; the tarballs are looked at
 * as publint and Are the Types Wrong do.
 * Returns a sentence for each thing that does not hold. `tsc` is the path of TypeScript's command.
 */
export async function packComplaints(root: string, work: string, tsc: string): Promise<string[]> {
  const all = libraries(root);
  const tarballs = join(work, 'tarballs');
  mkdirSync(tarballs);
  const filters = all.flatMap(({ name }) => ['--filter', name]);
  const packed = run('pnpm', ['-r', ...filters, 'pack', '--pack-destination', tarballs], root);
  if (packed.status !== 0) return [`pnpm pack: ${packed.text}`];
  writeFileSync(join(work, 'tsconfig.json'), JSON.stringify(exampleTsconfig));
  const installed = all.map((library) => ({ library, ...installAlone(library, all, tarballs, work) }));
  const complaints = installed.flatMap(({ complaints: found }) => found);
  for (const { name } of all) complaints.push(...(await publishComplaints(tarballOf(name, tarballs))));
  const compiled = run(process.execPath, [tsc, '-p', work], work);
  if (compiled.status !== 0)
    complaints.push(`README examples do not compile against the packed types:\n${compiled.text}`);
  for (const { library, examples } of installed) {
    for (const { file, prints, line } of examples) {
      const { status, stdout, text } = run(process.execPath, [file], work);
      const printed = stdout.split('\n').slice(0, -1);
      if (status !== 0)
        complaints.push(`${library.name} README.md:${line}: fails in an empty project: ${text}`);
      else if (JSON.stringify(printed) !== JSON.stringify(prints)) {
        complaints.push(
          `${library.name} README.md:${line}: says ${JSON.stringify(prints)}, prints ${JSON.stringify(printed)}`,
        );
      }
    }
  }
  return complaints;
}

const exampleTsconfig = {
  compilerOptions: {
    target: 'ES2022',
    lib: ['ES2022', 'DOM'],
    module: 'NodeNext',
    strict: true,
    skipLibCheck: false,
    types: [],
  },
  include: ['projects/*/example-*.ts'],
};

/** A compiled example: where it runs, and what it says it prints. */
interface InstalledExample {
  readonly file: string;
  readonly prints: readonly string[];
  readonly line: number;
}

/** Makes the empty project of one library: its tarball, its examples, and what those import. */
function installAlone(
  library: Library,
  all: readonly Library[],
  tarballs: string,
  work: string,
): { complaints: string[]; examples: InstalledExample[] } {
  const project = join(work, 'projects', library.name.replace('@hmm/', ''));
  mkdirSync(project, { recursive: true });
  const readme = join(library.folder, 'README.md');
  const examples = existsSync(readme) ? readmeExamples(readFileSync(readme, 'utf8')) : [];
  const complaints = examples.length > 0 ? [] : [`${library.name}: its README has no \`\`\`ts example`];
  const imported = new Set([library.name]);
  for (const { line, code } of examples) {
    writeFileSync(join(project, `example-${line}.ts`), code);
    for (const [, name] of code.matchAll(/from '(@hmm\/[\w-]+)/g)) if (name !== undefined) imported.add(name);
  }
  const manifest = {
    private: true,
    type: 'module',
    dependencies: Object.fromEntries([...imported].map((name) => [name, '*'])),
    pnpm: { overrides: { ...tarballOverrides(all, tarballs), ...registryOverrides(all) } },
  };
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest));
  const { status, text } = run(
    'pnpm',
    ['install', '--offline', '--ignore-workspace', '--config.hoist=false'],
    project,
  );
  if (status !== 0) complaints.push(`${library.name}: its tarball does not install: ${text}`);
  return {
    complaints,
    examples: examples.map(({ line, prints }) => ({
      file: join(project, `example-${line}.js`),
      prints,
      line,
    })),
  };
}

/** Every library comes from its tarball. */
function tarballOverrides(all: readonly Library[], tarballs: string): Record<string, string> {
  return Object.fromEntries(all.map(({ name }) => [name, `file:${tarballOf(name, tarballs)}`]));
}

/** The path of a library's tarball. */
function tarballOf(name: string, tarballs: string): string {
  const stem = name.replace('@', '').replace('/', '-');
  const found = readdirSync(tarballs).find(
    (file) => file.startsWith(stem) && /^-\d/.test(file.slice(stem.length)),
  );
  return join(tarballs, found ?? `${stem}.tgz`);
}

/** What comes from the registry is already here, in its locked version: no network is needed. */
function registryOverrides(all: readonly Library[]): Record<string, string> {
  const overrides: Record<string, string> = {};
  for (const { folder, dependencies } of all) {
    for (const name of dependencies.filter((dependency) => !dependency.startsWith('@hmm/'))) {
      overrides[name] = `link:${realpathSync(join(folder, 'node_modules', name))}`;
    }
  }
  return overrides;
}

/** Runs a command to its end with nothing on standard input. */
function run(
  command: string,
  args: string[],
  cwd: string,
): { status: number | null; stdout: string; text: string } {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000,
  });
  return { status, stdout, text: error?.message ?? `${stdout}${stderr}`.trim() };
}
