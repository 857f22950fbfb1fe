import type { ClientFactory } from '@hmm/device';
import { adapterDrivers, gpuDrivers, historicalDrivers } from '@hmm/drivers';
import { type MirrorDevicesFactory } from '@hmm/explore';
import { devicesByClient } from '@hmm/explore/internal';
import { litmusDevices } from '@hmm/test-device';

/** The drivers that a pane can run, the default ones first. */
export const CLIENTS: readonly ClientFactory[] = [
  ...gpuDrivers(),
  ...adapterDrivers(),
  ...historicalDrivers(),
];

/** The devices of litmus tests: the kernel's test device, or the driver that a test names. */
export const LITMUS_DEVICES: MirrorDevicesFactory = devicesByClient(CLIENTS, litmusDevices);
