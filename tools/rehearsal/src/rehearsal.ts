import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Consumer, importedPackages } from './consumer.js';
import { externalPackages } from './externals.js';
import { refusals } from './refusals.js';
import type { Registry } from './registry.js';
import { packFolder, type PackedManifest, type PackedPackage, readTarball } from './tarball.js';
import { versionsFor } from './version-matrix.js';
import {
  addPatch,
  changesetVersion,
  copyWorkspace,
  packMembers,
  publishedMembers,
} from './workspace-copy.js';

/** The package whose patch is rehearsed: all others stand on it. */
const PATCHED = '@hmm/kernel';
/** The package with the command `hmm`. */
const COMMAND = '@hmm/compare';

/** A release of the workspace at `root`, rehearsed in the empty folder `work` on a registry of its own. */
export class Rehearsal {
  private readonly root: string;
  private readonly work: string;
  private readonly registry: Registry;
  private readonly published = new Map<string, Map<string, PackedManifest>>();

  constructor(root: string, work: string, registry: Registry) {
    this.root = root;
    this.work = work;
    this.registry = registry;
  }

  private get copy(): string {
    return join(this.work, 'copy');
  }

  /** Versions from the changesets, in a copy; every package packed there. */
  pack(): PackedPackage[] {
    copyWorkspace(this.root, this.copy);
    changesetVersion(this.copy);
    return packMembers(this.copy, publishedMembers(this.copy), join(this.work, 'tarballs'));
  }

  /** Why the packages must not be published. */
  async refusals(packed: readonly PackedPackage[]): Promise<string[]> {
    const folders = new Map(this.externals().map(({ name, folder }) => [name, folder]));
    const work = join(this.work, 'refusals');
    mkdirSync(work);
    return await refusals(packed, folders, work);
  }

  private externals(): ReturnType<typeof externalPackages> {
    return externalPackages(publishedMembers(this.root).map(({ folder }) => join(this.root, folder)));
  }

  /** Publishes what others have published that our packages need. */
  async publishExternals(): Promise<void> {
    for (const [i, { folder }] of this.externals().entries()) {
      const tarball = join(this.work, `external-${i}.tgz`);
      packFolder(folder, tarball);
      await this.registry.publish(readTarball(tarball));
    }
  }

  /** Publishes packages from their tarballs. */
  async publish(packed: readonly PackedPackage[]): Promise<void> {
    for (const one of packed) {
      await this.registry.publish(one);
      const versions = this.published.get(one.name) ?? new Map<string, PackedManifest>();
      this.published.set(one.name, versions.set(one.version, one.manifest));
    }
  }

  /** Installs a package alone in an empty folder and runs its README's examples there, or its command. */
  installAlone({ name, manifest }: PackedPackage): string[] {
    const consumer = new Consumer(join(this.work, 'alone', name.replace('@hmm/', '')), this.registry.url);
    const readme = this.readmeOf(name);
    // Examples name the packages that they show the package with.
    const { status, text } = consumer.install(...new Set([name, ...importedPackages(readme)]));
    if (status !== 0) return [`${name}: does not install from the registry: ${text}`];
    const complaints = consumer.runReadme(name);
    const [command] = Object.keys(manifest.bin ?? {});
    if (command === undefined) return complaints;
    const ran = consumer.npm('exec', '--no', '--', command, '--help');
    if (ran.status !== 0) complaints.push(`${name}: ${command} --help fails: ${ran.text}`);
    if (name === COMMAND) {
      const demo = consumer.npm('exec', '--no', '--', command, 'demo');
      if (demo.status !== 0) complaints.push(`${name}: npx hmm demo fails: ${demo.text}`);
    }
    return complaints;
  }

  private readmeOf(name: string): string {
    const member = publishedMembers(this.copy).find((one) => one.name === name);
    const path = join(this.copy, member?.folder ?? '', 'README.md');
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  /** One package patched and published alone: nothing else changes its version, and every other takes it. */
  async patchOne(): Promise<string[]> {
    addPatch(this.copy, PATCHED);
    const changed = changesetVersion(this.copy);
    const others = changed.filter(({ name }) => name !== PATCHED);
    if (others.length > 0)
      return [`a patch of ${PATCHED} releases others too: ${others.map(({ name }) => name).join(', ')}`];
    await this.publish(packMembers(this.copy, changed, join(this.work, 'patched')));
    return [];
  }

  /** For each package the newest of it, with the oldest and with the newest of the others that its range allows. */
  matrix(names: readonly string[]): string[] {
    return names.flatMap((name) =>
      (['oldest', 'newest'] as const).flatMap((which) => {
        const versions = versionsFor(name, this.published, which);
        const folder = join(this.work, which, name.replace('@hmm/', ''));
        const shown = new Set([...versions.keys(), ...importedPackages(this.readmeOf(name))]);
        const dependencies = Object.fromEntries([...shown].map((one) => [one, versions.get(one) ?? '*']));
        const consumer = new Consumer(folder, this.registry.url, { dependencies });
        const { status, text } = consumer.install();
        if (status !== 0) return [`${name} with the ${which} of the others does not install: ${text}`];
        const wrong = [...versions].filter(([one, version]) => consumer.installed(one) !== version);
        if (wrong.length > 0)
          return [`${name} with the ${which}: ${wrong.map(([one]) => one).join(', ')} is another`];
        return consumer.runReadme(name).map((complaint) => `with the ${which} of the others: ${complaint}`);
      }),
    );
  }

  /** The examples outside of the workspace: each installed from the registry, and its `npm test` run. */
  examples(): string[] {
    const folder = join(this.root, 'examples');
    const names = existsSync(folder) ? readdirSync(folder) : [];
    return names.flatMap((name) => {
      const path = join(folder, name, 'package.json');
      if (!existsSync(path)) return [];
      const to = join(this.work, 'examples', name);
      cpSync(join(folder, name), to, { recursive: true });
      const consumer = new Consumer(to, this.registry.url, JSON.parse(readFileSync(path, 'utf8')) as object);
      const { status, text } = consumer.install();
      if (status !== 0) return [`examples/${name}: does not install: ${text}`];
      const tested = consumer.npm('test');
      return tested.status === 0 ? [] : [`examples/${name}: npm test fails: ${tested.text}`];
    });
  }
}
