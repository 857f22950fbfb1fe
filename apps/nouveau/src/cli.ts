import { conformCommand, main } from '@hmm/cli';
import { nouveauCorpora } from '@hmm/nouveau-model/conform';
import { firmwareCommand } from './firmware-command.js';
import { nouveauRunCommand } from './run.js';

await main({
  name: 'hmm-nouveau',
  version: '0.1.0',
  description:
    "nouveau's shared virtual memory, modelled: run programs under it, replay recordings of the real one",
  examples: [
    'hmm-nouveau run first-example.hmm',
    'hmm-nouveau run first-example.hmm --firmware none',
    'hmm-nouveau run first-example.hmm --kernel 7.3',
    'hmm-nouveau run first-example.hmm --mended all',
    'hmm-nouveau run first-example.hmm --gpu h100',
    'hmm-nouveau firmware gp104 --firmware /lib/firmware',
    'hmm-nouveau conform tools/golden/nouveau-6.12/public.jsonl.gz',
  ],
  commands: [nouveauRunCommand(), firmwareCommand(), conformCommand([nouveauCorpora])],
});
