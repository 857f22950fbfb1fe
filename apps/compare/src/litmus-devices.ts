import type { LitmusDevices } from '@hmm/cli';
import { devicesByClient } from '@hmm/explore/internal';
import { litmusDevices } from '@hmm/test-device';
import { allClients } from './clients.js';

/** The devices of litmus tests: the test device, and every driver by its name. */
export const devices: LitmusDevices = {
  create: devicesByClient(allClients, litmusDevices),
  from: '@hmm/test-device',
  name: 'litmusDevices',
  drivers: { from: '@hmm/drivers', name: 'allDrivers' },
  worker: new URL('litmus-worker.js', import.meta.url),
};
