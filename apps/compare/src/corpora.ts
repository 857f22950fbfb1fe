import type { CorpusReplayers } from '@hmm/cli';
import { nouveauCorpora } from '@hmm/nouveau-model/conform';
import { rxeCorpora } from '@hmm/rxe-model/conform';
import { testDeviceCorpora } from '@hmm/test-device/conform';

/** Whose recordings `hmm conform` replays. */
export const corpora: CorpusReplayers = [testDeviceCorpora, nouveauCorpora, rxeCorpora];
