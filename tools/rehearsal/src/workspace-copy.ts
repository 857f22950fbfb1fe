import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { run, runOrThrow } from './commands.js';
import { type PackedPackage, readTarballs } from './tarball.js';

/** A member of the workspace that is published. */
export interface PublishedMember {
  readonly name: string;
  readonly version: string;
  /** Path from the root. */
  readonly folder: string;
}

/**
 * Copies the workspace at `root` with what is built in it, as a repository of its own, so that versions can be changed and packages packed
 * there. Installed packages are linked, not copied.
 */
export function copyWorkspace(root: string, to: string): void {
  const listed = runOrThrow('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], root);
  for (const file of listed.stdout.split('\0'))
    if (file !== '' && existsSync(join(root, file))) copy(root, to, file);
  symlinkSync(join(root, 'node_modules'), join(to, 'node_modules'));
  for (const folder of memberFolders(root)) {
    for (const part of ['dist', 'node_modules'])
      if (existsSync(join(root, folder, part))) copy(root, to, join(folder, part));
  }
  runOrThrow('git', ['init', '-q'], to);
  runOrThrow('git', ['add', '-A'], to);
  const author = ['-c', 'user.name=rehearsal', '-c', 'user.email=rehearsal@localhost'];
  runOrThrow('git', [...author, 'commit', '-q', '-m', 'The workspace to be released'], to);
}

/** The links of `node_modules` stay as they are written: they lead to the copies of members, as they did to the members. */
function copy(root: string, to: string, path: string): void {
  mkdirSync(dirname(join(to, path)), { recursive: true });
  cpSync(join(root, path), join(to, path), { recursive: true, verbatimSymlinks: true });
}

function memberFolders(root: string): string[] {
  return ['packages', 'apps', 'tools'].flatMap((group) =>
    readdirSync(join(root, group))
      .map((name) => join(group, name))
      .filter((folder) => existsSync(join(root, folder, 'package.json'))),
  );
}

/** The members of a workspace that are published. */
export function publishedMembers(root: string): PublishedMember[] {
  return memberFolders(root).flatMap((folder) => {
    const text = readFileSync(join(root, folder, 'package.json'), 'utf8');
    const { name, version, private: hidden } = JSON.parse(text) as PublishedMember & { private?: boolean };
    return hidden === true ? [] : [{ name, version, folder }];
  });
}

/** Turns the changesets of a copy into versions; returns the members whose version changed. */
export function changesetVersion(copyAt: string): PublishedMember[] {
  const before = new Map(publishedMembers(copyAt).map(({ name, version }) => [name, version]));
  runOrThrow(process.execPath, [join(copyAt, 'node_modules/@changesets/cli/bin.js'), 'version'], copyAt);
  return publishedMembers(copyAt).filter(({ name, version }) => before.get(name) !== version);
}

/** Adds a changeset for a patch of one package. */
export function addPatch(copyAt: string, name: string): void {
  writeFileSync(join(copyAt, '.changeset/rehearsed-patch.md'), `---\n'${name}': patch\n---\n\nRehearsed.\n`);
}

/** Packs members of a workspace into a folder. */
export function packMembers(
  root: string,
  members: readonly PublishedMember[],
  into: string,
): PackedPackage[] {
  mkdirSync(into, { recursive: true });
  const filters = members.flatMap(({ name }) => ['--filter', name]);
  const packed = run('pnpm', ['-r', ...filters, 'pack', '--pack-destination', into], root);
  if (packed.status !== 0) throw new Error(`pnpm pack: ${packed.text}`);
  return readTarballs(into);
}
