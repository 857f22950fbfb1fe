import { resolve } from 'node:path';
import { run } from './commands.js';
import { packMembers, type PublishedMember, publishedMembers } from './workspace-copy.js';

/**
 * `pnpm release:pack FOLDER [--unpublished]`: packs what is published of the workspace as it is built, all of it or the versions that the
 * registry has not yet.
 */
function main(root: string, [folder, only]: readonly string[]): number {
  if (folder === undefined || (only !== undefined && only !== '--unpublished')) {
    console.error('release:pack: name the folder for the tarballs, then --unpublished or nothing');
    return 2;
  }
  const members = publishedMembers(root).filter((member) => only === undefined || isUnpublished(member));
  const packed = members.length === 0 ? [] : packMembers(root, members, resolve(root, folder));
  for (const { name, version } of packed) console.log(`${name}@${version}`);
  console.error(`release:pack: ${packed.length} packages`);
  return 0;
}

/** Asks the registry of npm's configuration. @throws Error where it does not answer. */
function isUnpublished({ name, version }: PublishedMember): boolean {
  const { status, stdout, text } = run(
    'npm',
    ['view', `${name}@${version}`, 'version', '--json'],
    process.cwd(),
  );
  if (status === 0) return stdout.trim() === '';
  if (text.includes('E404')) return true;
  throw new Error(`${name}: the registry does not answer: ${text}`);
}

process.exitCode = main(process.cwd(), process.argv.slice(2));
