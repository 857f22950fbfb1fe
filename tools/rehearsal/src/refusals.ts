import { basename } from 'node:path';
import { publishComplaints } from '@hmm/checks/packed';
import type { PackedManifest, PackedPackage } from './tarball.js';
import { typeComplaints } from './type-checks.js';

/** Ranges that mean something in a workspace only. */
const LOCAL_RANGE = /^(workspace|catalog|link|file|portal):/;

/**
 * Why packages must not be published, a sentence each: ranges that only a workspace understands, no licence, entries or types that do not
 * resolve, types that do not compile for somebody's TypeScript. `externals` are the folders of the packages that they depend on besides
 * each other, by name; `work` is an empty folder.
 */
export async function refusals(
  packed: readonly PackedPackage[],
  externals: ReadonlyMap<string, string>,
  work: string,
): Promise<string[]> {
  const found = packed.flatMap((one) => [...rangeComplaints(one), ...licenceComplaints(one)]);
  for (const { tarball, manifest } of packed)
    if (isLibrary(manifest)) found.push(...(await publishComplaints(tarball)));
  const libraries = packed.filter(({ manifest }) => isLibrary(manifest));
  return [...found, ...typeComplaints(libraries, externals, work)];
}

/** Whether it can be imported: a command alone has no entry with types. */
function isLibrary({ exports = {} }: PackedManifest): boolean {
  return Object.values(exports).some((entry) => typeof entry !== 'string');
}

function rangeComplaints({ tarball, manifest }: PackedPackage): string[] {
  const { dependencies, peerDependencies, optionalDependencies } = manifest;
  const ranges = Object.entries({ ...dependencies, ...peerDependencies, ...optionalDependencies });
  return ranges
    .filter(([, range]) => LOCAL_RANGE.test(range))
    .map(
      ([name, range]) =>
        `${basename(tarball)}: it asks for ${name} as "${range}", which nobody else understands`,
    );
}

function licenceComplaints({ tarball, manifest, files }: PackedPackage): string[] {
  const complaints: string[] = [];
  if (manifest.license === undefined)
    complaints.push(`${basename(tarball)}: its package.json names no licence`);
  if (!files.includes('LICENSE')) complaints.push(`${basename(tarball)}: it comes without the file LICENSE`);
  return complaints;
}
