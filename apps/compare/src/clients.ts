import { directoryFiles } from '@hmm/cli';
import { nouveauFactory } from '@hmm/nouveau-model';
import { uvmFactory } from '@hmm/nvidia-uvm-model';

/** The GPU drivers that the command knows. */
export const clients = [nouveauFactory(directoryFiles), uvmFactory()];
