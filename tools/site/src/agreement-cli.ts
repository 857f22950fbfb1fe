import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AGREEMENT_FILE, runAgreement } from './agreement.js';
import { ROOT } from './repository.js';

// `pnpm site:agreement`: holds every recording against the model as built, and writes what the site tells of it.
const run = runAgreement((line) => {
  console.error(line);
});
writeFileSync(join(ROOT, AGREEMENT_FILE), `${JSON.stringify(run, null, 2)}\n`);
