import { directoryFiles } from '@hmm/cli';
import { uvmFactory } from '@hmm/nvidia-uvm-model';
import { UVM_POLICIES } from '@hmm/uvm-policies';
import { allDrivers, driversByName, gpuDrivers, historicalDrivers } from '@hmm/drivers';

/** The GPU drivers that the command knows. */
export const clients = gpuDrivers(directoryFiles);

/** The drivers that comparisons run where they are asked for by name: of network adapters, the test device, and those of 2016. */
export const byName = driversByName();

/** HMM as it was when it was posted, and in the first release with it. */
export const of2016 = historicalDrivers();

/** Every driver that a program can be run on. */
export const allClients = allDrivers(directoryFiles);

/** NVIDIA's driver with each of the policies that it can be given. */
export const policies = UVM_POLICIES.map(({ name, text, make }) => ({
  name,
  text,
  factory: uvmFactory(make),
}));
