import { conformCommand, main, runCommand } from '@hmm/cli';
import { testDeviceFactory } from '@hmm/test-device';
import { testDeviceCorpora } from '@hmm/test-device/conform';

await main({
  name: 'hmm-test-device',
  version: '0.1.0',
  description:
    "the kernel's HMM test device, modelled: run programs of its ioctls, replay recordings of the real one",
  examples: [
    'hmm-test-device run ioctls.hmm --gpu dmirror-coherent',
    'hmm-test-device conform tools/golden/linux-6.12/public.jsonl.gz',
  ],
  commands: [runCommand([testDeviceFactory()]), conformCommand([testDeviceCorpora])],
});
