import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { libraries, packComplaints } from './pack.js';

/** `pnpm pack:check`: every packed library works in an empty project. Needs built packages. Exit code 1 if one does not. */
async function main(root: string): Promise<number> {
  const work = mkdtempSync(join(tmpdir(), 'hmm-pack-'));
  try {
    const complaints = await packComplaints(root, work, join(root, 'node_modules/typescript/bin/tsc'));
    for (const complaint of complaints) console.error(complaint);
    console.error(`packed: ${libraries(root).length} libraries, ${complaints.length} complaints`);
    return complaints.length === 0 ? 0 : 1;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

process.exitCode = await main(process.cwd());
