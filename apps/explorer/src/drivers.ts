import type { ClientFactory } from '@hmm/device';
import type { MirrorDevicesFactory } from '@hmm/explore';
import { mlx5Factory } from '@hmm/mlx5-model';
import { nouveauFactory } from '@hmm/nouveau-model';
import { uvmFactory } from '@hmm/nvidia-uvm-model';
import { rxeFactory } from '@hmm/rxe-model';
import { litmusDevices } from '@hmm/test-device';

/** The drivers that a pane can run, the default ones first. A new driver is registered here and nowhere else on the page. */
export const CLIENTS: readonly ClientFactory[] = [
  nouveauFactory(),
  uvmFactory(),
  mlx5Factory(),
  rxeFactory(),
];

/** The devices of litmus tests: the kernel's test device. */
export const LITMUS_DEVICES: MirrorDevicesFactory = litmusDevices;
