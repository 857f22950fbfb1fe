import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin, version } from 'esbuild';
import type { Mutant } from './catalogue.js';
import { plantedSources } from './planted-sources.js';

/** The repository's root. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

const HERE = join(ROOT, 'tools/mutants');
const CACHE = join(HERE, 'node_modules/.cache/hmm-mutants');
/** Where sources lie that a bundle may have. */
const SOURCE_FOLDERS = ['packages', 'tools/mutants/src'];
const SKIPPED_FOLDERS = new Set(['node_modules', 'dist', 'coverage', '.vitest', 'bench']);

/** Bundles of the sources with a bug planted, each built once for the sources that it was made of. */
export class Bundles {
  private readonly folder: string;

  /** Reads all sources; bundles of earlier ones are deleted. */
  constructor() {
    const key = sourcesHash();
    this.folder = join(CACHE, key);
    mkdirSync(this.folder, { recursive: true });
    for (const name of readdirSync(CACHE))
      if (name !== key) rmSync(join(CACHE, name), { recursive: true, force: true });
  }

  /**
   * The path of a module whose default export runs a test on the sources with `mutant`; on the sources as they are without.
   * @throws HmmError `PATCH_STALE`
   */
  async of(mutant: Mutant | undefined): Promise<string> {
    const patch = createHash('sha256')
      .update(mutant?.patch ?? '')
      .digest('hex')
      .slice(0, 12);
    const path = join(this.folder, `${mutant?.id ?? 'none'}-${patch}.mjs`);
    if (existsSync(path)) return path;
    const planted = mutant === undefined ? new Map<string, string>() : plantedSources(mutant, ROOT);
    const unfinished = `${path}.${process.pid}`;
    await build({
      entryPoints: [join(HERE, 'src/planted.ts')],
      outfile: unfinished,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      conditions: ['@hmm/source'],
      logLevel: 'silent',
      plugins: [instead(planted)],
    });
    renameSync(unfinished, path);
    return path;
  }
}

/** Gives esbuild some sources as they are with the bug. */
function instead(planted: ReadonlyMap<string, string>): Plugin {
  return {
    name: 'planted',
    setup: (bundle): void => {
      for (const [path, contents] of planted) {
        const filter = new RegExp(`${path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`);
        bundle.onLoad({ filter }, () => ({ contents, loader: 'ts' }));
      }
    },
  };
}

/** A hash of everything that a bundle is made of, but the bug. */
function sourcesHash(): string {
  const hash = createHash('sha256').update(version).update(process.version);
  const visit = (folder: string): void => {
    for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        if (!SKIPPED_FOLDERS.has(entry.name)) visit(path);
      } else if (/\.ts$|^package\.json$/.test(entry.name)) {
        hash.update(`${path}\0`).update(readFileSync(join(ROOT, path)));
      }
    }
  };
  for (const folder of SOURCE_FOLDERS) visit(folder);
  return hash
    .update(readFileSync(join(ROOT, 'pnpm-lock.yaml')))
    .digest('hex')
    .slice(0, 16);
}
