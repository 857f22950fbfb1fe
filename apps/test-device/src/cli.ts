import { conformCommand, main } from '@hmm/cli';
import * as corpora from '@hmm/test-device/conform';

await main({
  name: 'hmm-test-device',
  version: '0.1.0',
  description: "the kernel's HMM test device, modelled: replay recordings of the real one",
  examples: ['hmm-test-device conform tools/golden/linux-6.12/public.jsonl.gz'],
  commands: [conformCommand(corpora)],
});
