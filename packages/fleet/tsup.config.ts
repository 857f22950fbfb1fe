import { defineConfig } from 'tsup';
import { library } from '@hmm/config/tsup';

export default defineConfig(library(['src/index.ts']));
