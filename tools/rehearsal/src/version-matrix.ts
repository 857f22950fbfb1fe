import { maxSatisfying, minSatisfying, rcompare } from 'semver';
import type { PackedManifest } from './tarball.js';

/** What is published: of each package its versions, each with its manifest. */
export type Published = ReadonlyMap<string, ReadonlyMap<string, Pick<PackedManifest, 'dependencies'>>>;

/**
 * The packages that somebody has who installs the newest of `name`, each in the oldest version, or the newest, that all ranges allow that
 * ask for it. Packages of others are left to npm.
 * @throws Error where no version is allowed.
 */
export function versionsFor(
  name: string,
  published: Published,
  which: 'oldest' | 'newest',
): Map<string, string> {
  const choose = which === 'oldest' ? minSatisfying : maxSatisfying;
  const [newest] = [...(published.get(name)?.keys() ?? [])].sort(rcompare);
  if (newest === undefined) throw new Error(`${name} is not published`);
  const chosen = new Map([[name, newest]]);
  // A version that is raised has ranges of its own: again until nothing is.
  for (let raised = true; raised;) {
    raised = false;
    const asked = new Map<string, string[]>();
    for (const [one, version] of chosen) {
      const { dependencies = {} } = published.get(one)?.get(version) ?? {};
      for (const [dependency, range] of Object.entries(dependencies))
        if (published.has(dependency)) asked.set(dependency, [...(asked.get(dependency) ?? []), range]);
    }
    for (const [dependency, ranges] of asked) {
      const version = choose([...(published.get(dependency)?.keys() ?? [])], ranges.join(' '));
      if (version === null) throw new Error(`${name}: no ${dependency} is all of ${ranges.join(', ')}`);
      if (chosen.get(dependency) === version) continue;
      chosen.set(dependency, version);
      raised = true;
    }
  }
  return chosen;
}
