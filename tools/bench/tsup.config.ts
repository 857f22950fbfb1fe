import { defineConfig } from 'tsup';
import { library } from '@hmm/config/tsup';

export default defineConfig({
  ...library({
    index: 'src/index.ts',
    cli: 'src/cli.ts',
    case: 'src/case.ts',
    'fast-check': 'src/fast-check-cli.ts',
    growth: 'src/growth-cli.ts',
  }),
  dts: false,
  platform: 'node',
});
