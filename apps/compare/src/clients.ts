import { directoryFiles } from '@hmm/cli';
import { mlx5Factory } from '@hmm/mlx5-model';
import { nouveauFactory } from '@hmm/nouveau-model';
import { uvmFactory } from '@hmm/nvidia-uvm-model';
import { rxeFactory } from '@hmm/rxe-model';

/** The GPU drivers that the command knows. */
export const clients = [nouveauFactory(directoryFiles), uvmFactory()];

/** The drivers of network adapters, which are asked for by name. */
export const adapters = [mlx5Factory(), rxeFactory()];
