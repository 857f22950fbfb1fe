import { defineConfig } from 'tsup';
import { library } from '@hmm/config/tsup';

export default defineConfig({
  ...library({
    index: 'src/index.ts',
    cli: 'src/cli.ts',
    'agreement-cli': 'src/agreement-cli.ts',
    'litmus-cli': 'src/litmus-cli.ts',
    'pictures-cli': 'src/pictures-cli.ts',
    'check-cli': 'src/check-cli.ts',
  }),
  dts: false,
  platform: 'node',
  // The explorer has no build that a program can import: what is taken of it comes along.
  noExternal: ['@hmm/explorer'],
  esbuildOptions(options) {
    options.conditions = ['@hmm/source'];
  },
  external: [/^@hmm\/(?!explorer)/],
});
