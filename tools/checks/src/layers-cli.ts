import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cruiseWorkspace } from './cruise.js';
import { readLayerTable, turboBoundaries, type LayerTable } from './layers.js';
import { manifestComplaints } from './manifests.js';

/** `pnpm layers [--write]`: the table of layers against manifests, imports and turbo's own view. Exit code 1 on a breach. */
async function main(root: string): Promise<number> {
  const table = readLayerTable(root);
  if (process.argv.includes('--write')) writeBoundaries(root, table);
  const complaints = manifestComplaints(root, table);
  const { violations, missed, modules } = await cruiseWorkspace(root);
  complaints.push(...violations.map(({ rule, from, to }) => `${from} imports ${to} (${rule})`));
  complaints.push(...missed.map((source) => `${source}: its imports were not looked at`));
  for (const complaint of complaints) console.error(complaint);
  console.error(`layers: ${modules} source files, ${complaints.length} breaches`);
  const turbo = spawnSync('turbo', ['boundaries'], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  return complaints.length === 0 && turbo.status === 0 ? 0 : 1;
}

function writeBoundaries(root: string, table: LayerTable): void {
  const path = join(root, 'turbo.json');
  const turbo = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  writeFileSync(path, `${JSON.stringify({ ...turbo, boundaries: turboBoundaries(table) }, null, 2)}\n`);
}

process.exitCode = await main(process.cwd());
