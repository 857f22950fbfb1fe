import { defineConfig } from 'tsup';
import { library } from '@hmm/config/tsup';

export default defineConfig({
  ...library({
    index: 'src/index.ts',
    layers: 'src/layers-cli.ts',
    symbols: 'src/symbols-cli.ts',
    pack: 'src/pack-cli.ts',
    api: 'src/api-cli.ts',
    packed: 'src/packed.ts',
  }),
  dts: false,
  platform: 'node',
});
