import { writeFileSync } from 'node:fs';
import { recordingsText } from './collection.js';

/** `pnpm --filter @hmm/golden run list`: writes `recordings.json` for the recordings that are here. */
writeFileSync('recordings.json', recordingsText());
