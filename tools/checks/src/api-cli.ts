import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { apiComplaints, entryPoints } from './api.js';

/** `pnpm api [--write]`: the reports of the public faces against what is built. Exit code 1 where one differs. */
function main(root: string): number {
  const work = mkdtempSync(join(tmpdir(), 'hmm-api-'));
  try {
    const complaints = apiComplaints(root, work, process.argv.includes('--write'));
    for (const complaint of complaints) console.error(complaint);
    if (complaints.length > 0)
      console.error('a meant change of a public face: "pnpm build && pnpm api --write"');
    console.error(`api: ${entryPoints(root).length} entry points, ${complaints.length} differ`);
    return complaints.length === 0 ? 0 : 1;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

process.exitCode = main(process.cwd());
