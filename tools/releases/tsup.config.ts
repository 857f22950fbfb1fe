import { defineConfig } from 'tsup';
import { library } from '@hmm/config/tsup';

export default defineConfig({
  ...library({ index: 'src/index.ts', cli: 'src/cli.ts' }),
  dts: false,
  platform: 'node',
});
