import { defineConfig } from 'tsup';
import { library } from '@hmm/config/tsup';

export default defineConfig({
  ...library({
    index: 'src/index.ts',
    rehearse: 'src/rehearse-cli.ts',
    check: 'src/check-cli.ts',
    pack: 'src/pack-cli.ts',
  }),
  dts: false,
  platform: 'node',
});
