import { defineConfig } from 'tsup';
import { library } from '@hmm/config/tsup';

export default defineConfig({
  ...library({ cli: 'src/cli.ts', 'sample-checker': 'src/sample-checker.ts' }),
  dts: false,
  platform: 'node',
});
