import { type ConformJob, replayCorpus } from '@hmm/cli';
import { corpora } from './corpora.js';

/** Replays one corpus in a thread of its own. */
export default (job: ConformJob): ReturnType<typeof replayCorpus> => replayCorpus(corpora, job);
