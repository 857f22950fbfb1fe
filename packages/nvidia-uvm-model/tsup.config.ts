import { defineConfig } from 'tsup';
import { library } from '@hmm/config/tsup';

export default defineConfig(
  library({ index: 'src/index.ts', internal: 'src/internal.ts', validate: 'src/validate/index.ts' }),
);
