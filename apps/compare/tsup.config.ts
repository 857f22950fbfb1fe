import { defineConfig } from 'tsup';
import { app } from '@hmm/config/tsup';

export default defineConfig(
  app(['src/cli.ts', 'src/conform-worker.ts', 'src/litmus-worker.ts', 'src/sweep-worker.ts']),
);
