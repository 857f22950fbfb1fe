import { main, runCommand } from '@hmm/cli';
import { mlx5Factory } from '@hmm/mlx5-model';

await main({
  name: 'hmm-mlx5',
  version: '0.0.0',
  description:
    "mlx5's on-demand paging, modelled: run programs, with an access of the device a request of a peer",
  examples: ['hmm-mlx5 run first-example.hmm', 'hmm-mlx5 run first-example.hmm --gpu connectx-7'],
  commands: [runCommand([mlx5Factory()])],
});
