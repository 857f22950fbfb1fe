import { defineConfig } from 'tsup';
import { app } from '@hmm/config/tsup';

export default defineConfig(app(['src/cli.ts']));
