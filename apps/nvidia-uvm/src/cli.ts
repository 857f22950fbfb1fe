import { main, validateCommand } from '@hmm/cli';
import * as captures from '@hmm/nvidia-uvm-model/validate';

await main({
  name: 'hmm-nvidia-uvm',
  version: '0.1.0',
  description: "NVIDIA's UVM driver, modelled: replay recordings of the real one",
  examples: ['hmm-nvidia-uvm validate tools/golden/h100-uvm/uvm-public.jsonl.gz'],
  commands: [validateCommand(captures)],
});
