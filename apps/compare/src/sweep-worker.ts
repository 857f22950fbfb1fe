import { runCell, type SweepJob } from '@hmm/cli';
import { clients } from './clients.js';

/** Runs one cell of a sweep in a thread of its own. */
export default (job: SweepJob): ReturnType<typeof runCell> => runCell(clients, job);
