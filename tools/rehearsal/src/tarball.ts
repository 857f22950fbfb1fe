import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** A package as it is published. */
export interface PackedPackage {
  readonly name: string;
  readonly version: string;
  /** Path of the tarball. */
  readonly tarball: string;
  readonly manifest: PackedManifest;
  /** Paths in the package. */
  readonly files: readonly string[];
}

/** What of a published `package.json` is looked at. */
export interface PackedManifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly bin?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/**
 * Reads what a tarball says of itself.
 * @throws Error for a file that is no packed package.
 */
export function readTarball(tarball: string): PackedPackage {
  const manifest = JSON.parse(tar('-xzOf', tarball, 'package/package.json')) as PackedManifest;
  const files = tar('-tzf', tarball)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^package\//, ''));
  const { name, version } = manifest;
  return { name, version, tarball, manifest, files };
}

/** The packages whose tarballs lie in a folder. */
export function readTarballs(folder: string): PackedPackage[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.tgz'));
  return files.sort().map((file) => readTarball(join(folder, file)));
}

/** Unpacks a package into a folder, which is made. */
export function unpack({ tarball }: PackedPackage, into: string): void {
  mkdirSync(into, { recursive: true });
  tar('-xzf', tarball, '-C', into, '--strip-components=1');
}

/** Packs a folder as npm would, without what is nested in it: for packages that others have published. */
export function packFolder(folder: string, tarball: string): void {
  tar('-czf', tarball, '--exclude=./node_modules', '--transform=s,^\\.,package,', '-C', folder, '.');
}

function tar(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('tar', args, { encoding: 'utf8', maxBuffer: 64 << 20 });
  if (status !== 0) throw new Error(`tar ${args.join(' ')}: ${stderr.trim()}`);
  return stdout;
}
