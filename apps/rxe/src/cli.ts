import { main, runCommand } from '@hmm/cli';
import { rxeFactory } from '@hmm/rxe-model';

await main({
  name: 'hmm-rxe',
  version: '0.0.0',
  description:
    'soft-RoCE with on-demand paging, modelled: run programs, with an access of the device a request of a peer',
  examples: ['hmm-rxe run first-example.hmm', 'hmm-rxe run first-example.hmm --set defects=1'],
  commands: [runCommand([rxeFactory()])],
});
