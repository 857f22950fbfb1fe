import { compareCommand, demoCommand, main, runCommand } from '@hmm/cli';
import { ANNOUNCED_DEVICE, HMM_2016_VERSIONS, hmm2016Factory } from '@hmm/hmm-2016';

const versions = HMM_2016_VERSIONS.map(hmm2016Factory);

await main({
  name: 'hmm-2016',
  version: '0.0.0',
  description:
    'HMM as it was posted in November 2016 and as Linux 4.14 took it, modelled: run programs on the announced device',
  examples: [
    'hmm-2016 demo',
    'hmm-2016 run first-example.hmm --client hmm-v13',
    'hmm-2016 compare first-example.hmm',
    'hmm-2016 run first-example.hmm --client hmm-4.14 --set mend=callbackAtEnd',
  ],
  commands: [
    demoCommand(versions, undefined),
    runCommand(versions),
    compareCommand(versions, ANNOUNCED_DEVICE),
  ],
});
