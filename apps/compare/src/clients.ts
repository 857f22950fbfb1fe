import { directoryFiles } from '@hmm/cli';
import { adapterDrivers, allDrivers, gpuDrivers } from '@hmm/drivers';

/** The GPU drivers that the command knows. */
export const clients = gpuDrivers(directoryFiles);

/** The drivers of network adapters, which are asked for by name. */
export const adapters = adapterDrivers();

/** Every driver that a program can be run on. */
export const allClients = allDrivers(directoryFiles);
