import { defineConfig } from 'tsup';
import { library } from '@hmm/config/tsup';

export default defineConfig(
  library({
    index: 'src/index.ts',
    'v13/index': 'src/v13/index.ts',
    'linux-4.14/index': 'src/linux-4.14/index.ts',
  }),
);
