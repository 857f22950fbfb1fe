// Before a library is packed, in its folder: builds it with its types where they are not there. `npm run hmm` builds without
// them, and a tarball without the types that its manifest names is of no use.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const { exports } = JSON.parse(readFileSync('package.json', 'utf8'));
const types = Object.values(exports).flatMap((entry) => entry.types ?? []);
if (!types.every((file) => existsSync(file))) {
  const env = { ...process.env, HMM_BUILD: '' };
  const built = spawnSync('pnpm', ['exec', 'tsup'], { stdio: ['ignore', 2, 2], env });
  process.exitCode = built.status ?? 1;
}
