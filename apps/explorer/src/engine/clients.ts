import type { ClientFactory } from '@hmm/device';
import { nouveauFactory } from '@hmm/nouveau-model';
import { uvmFactory } from '@hmm/nvidia-uvm-model';

/** The drivers that a pane can run, the default ones first. */
export const CLIENTS: readonly ClientFactory[] = [nouveauFactory(), uvmFactory()];
