import {
  compareCommand,
  conformCommand,
  demoCommand,
  directoryFiles,
  main,
  runCommand,
  validateCommand,
} from '@hmm/cli';
import { nouveauFactory } from '@hmm/nouveau-model';
import * as captures from '@hmm/nvidia-uvm-model/validate';
import * as corpora from '@hmm/test-device/conform';

import { recordedDemo } from './recorded-demo.js';

const clients = [nouveauFactory(directoryFiles)];

await main({
  name: 'hmm',
  version: '0.1.0',
  description: 'Linux Heterogeneous Memory Management, modelled: programs, drivers and recordings',
  examples: [
    'hmm demo',
    'hmm run first-example.hmm',
    'hmm compare first-example.hmm',
    'hmm validate tools/golden/h100-uvm/uvm-public.jsonl.gz',
  ],
  commands: [
    demoCommand(clients, recordedDemo),
    runCommand(clients),
    compareCommand(clients, 'p100'),
    validateCommand(captures),
    conformCommand(corpora),
  ],
});
