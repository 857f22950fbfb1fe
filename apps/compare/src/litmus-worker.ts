import { parentPort } from 'node:worker_threads';
import { serveExplorations } from '@hmm/cli';
import { devices } from './litmus-devices.js';

// A thread of `hmm litmus --jobs`.
if (parentPort !== null) serveExplorations(parentPort, devices.create);
