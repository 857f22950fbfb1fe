import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { externalPackages } from './externals.js';
import { refusals } from './refusals.js';
import { readTarballs } from './tarball.js';
import { publishedMembers } from './workspace-copy.js';

/** `pnpm release:check FOLDER`: whether the tarballs in a folder may be published, none among them. Exit code 1 where one may not. */
async function main(root: string, folder: string | undefined): Promise<number> {
  if (folder === undefined) {
    console.error('release:check: name the folder with the tarballs');
    return 2;
  }
  const work = mkdtempSync(join(tmpdir(), 'hmm-release-check-'));
  try {
    const externals = externalPackages(publishedMembers(root).map((member) => join(root, member.folder)));
    const packed = existsSync(folder) ? readTarballs(folder) : [];
    const complaints = await refusals(
      packed,
      new Map(externals.map(({ name, folder: at }) => [name, at])),
      work,
    );
    for (const complaint of complaints) console.error(complaint);
    console.error(`release:check: ${packed.length} packages, ${complaints.length} complaints`);
    return complaints.length === 0 ? 0 : 1;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

process.exitCode = await main(process.cwd(), process.argv[2]);
