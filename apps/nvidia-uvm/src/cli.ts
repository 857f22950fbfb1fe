import { main } from '@hmm/cli';
import { UVM_COMMANDS } from './commands.js';

await main({
  name: 'hmm-nvidia-uvm',
  version: '0.1.0',
  description: "NVIDIA's UVM driver, modelled: run programs under it, replay recordings of the real one",
  examples: [
    'hmm-nvidia-uvm run first-example.hmm',
    'hmm-nvidia-uvm run pingpong.hmm --set uvm_perf_thrashing_enable=0',
    'hmm-nvidia-uvm validate tools/golden/h100-uvm/uvm-public.jsonl.gz',
  ],
  commands: UVM_COMMANDS,
});
