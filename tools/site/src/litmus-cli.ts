import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LITMUS_FILE, runLibrary } from './litmus-run.js';
import { ROOT } from './repository.js';

// `pnpm site:litmus`: explores the library of litmus tests, and writes what the site tells of it.
writeFileSync(join(ROOT, LITMUS_FILE), `${JSON.stringify(runLibrary(), null, 1)}\n`);
