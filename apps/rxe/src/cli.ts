import { conformCommand, main, runCommand } from '@hmm/cli';
import { rxeFactory } from '@hmm/rxe-model';
import { rxeCorpora } from '@hmm/rxe-model/conform';

await main({
  name: 'hmm-rxe',
  version: '0.0.0',
  description:
    'soft-RoCE with on-demand paging, modelled: run programs, with an access of the device a request of a peer',
  examples: [
    'hmm-rxe run first-example.hmm',
    'hmm-rxe run first-example.hmm --set defects=1',
    'hmm-rxe conform tools/golden/odp-7.3/public.jsonl.gz',
  ],
  commands: [runCommand([rxeFactory()]), conformCommand([rxeCorpora])],
});
