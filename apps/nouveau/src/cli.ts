import { main } from '@hmm/cli';
import { firmwareCommand } from './firmware-command.js';
import { nouveauRunCommand } from './run.js';

await main({
  name: 'hmm-nouveau',
  version: '0.1.0',
  description: "nouveau's shared virtual memory, modelled: run programs under it",
  examples: [
    'hmm-nouveau run first-example.hmm',
    'hmm-nouveau run first-example.hmm --firmware none',
    'hmm-nouveau run first-example.hmm --kernel 6.1',
    'hmm-nouveau run first-example.hmm --kernel 6.19',
    'hmm-nouveau run first-example.hmm --gpu h100',
    'hmm-nouveau firmware gp104 --firmware /lib/firmware',
  ],
  commands: [nouveauRunCommand(), firmwareCommand()],
});
