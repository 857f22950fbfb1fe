import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromiumPath } from '../test/e2e/chromium.js';
import { measureBudgets } from './budgets.js';

if (chromiumPath === undefined) {
  console.error('No Chromium was found: apt-get install chromium, or set HMM_CHROMIUM to the path of one.');
  process.exitCode = 2;
} else {
  const folder = mkdtempSync(join(tmpdir(), 'hmm-budgets-'));
  try {
    const root = fileURLToPath(new URL('..', import.meta.url));
    const results = await measureBudgets(root, folder);
    for (const { name, value, unit, limit, kept } of results) {
      console.log(
        `${kept ? 'kept  ' : 'BROKEN'}  ${name.padEnd(44)} ${value.toFixed(1).padStart(9)} ${unit} (${limit})`,
      );
    }
    if (results.some(({ kept }) => !kept)) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
