import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Rehearsal } from './rehearsal.js';
import { startRegistry } from './registry.js';

/**
 * `pnpm release:rehearse [NAME…]`: a release from the workspace as it is built, on a registry of its own. With names, only those packages
 * are installed alone and with others' versions. Exit code 1 where something does not hold.
 */
async function main(root: string, names: readonly string[]): Promise<number> {
  const work = mkdtempSync(join(tmpdir(), 'hmm-rehearsal-'));
  const complaints: string[] = [];
  const step = async (title: string, does: () => string[] | Promise<string[]>): Promise<boolean> => {
    const started = Date.now();
    const found = await does();
    complaints.push(...found);
    for (const complaint of found) console.error(`  ${complaint}`);
    console.error(
      `${title}: ${found.length === 0 ? 'ok' : 'FAILED'} (${((Date.now() - started) / 1000).toFixed(1)} s)`,
    );
    return found.length === 0;
  };
  const registry = await startRegistry(join(work, 'registry'));
  try {
    const rehearsal = new Rehearsal(root, work, registry);
    const packed = rehearsal.pack();
    const chosen = packed.filter(({ name }) => names.length === 0 || names.includes(name));
    const publishable = await step(`${packed.length} packages may be published`, () =>
      rehearsal.refusals(packed),
    );
    if (!publishable) return 1;
    await step('published from their tarballs', async () => {
      await rehearsal.publishExternals();
      await rehearsal.publish(packed);
      return [];
    });
    for (const one of chosen)
      await step(`${one.name} ${one.version} alone`, () => rehearsal.installAlone(one));
    await step('examples', () => rehearsal.examples());
    await step('one package patched, and published alone', () => rehearsal.patchOne());
    const libraries = chosen.filter(({ manifest }) => manifest.bin === undefined).map(({ name }) => name);
    for (const name of libraries)
      await step(`${name} with the oldest and the newest of the others`, () => rehearsal.matrix([name]));
    console.error(`rehearsed: ${packed.length} packages, ${complaints.length} complaints`);
    return complaints.length === 0 ? 0 : 1;
  } finally {
    registry.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

process.exitCode = await main(process.cwd(), process.argv.slice(2));
