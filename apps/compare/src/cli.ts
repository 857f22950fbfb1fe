import {
  calibrateCommand,
  compareCommand,
  conformCommand,
  demoCommand,
  exportCommand,
  fleetCommand,
  gpusCommand,
  importCommand,
  litmusCommand,
  main,
  policiesCommand,
  recordCommand,
  runCommand,
  suitesCommand,
  sweepCommand,
  validateCommand,
} from '@hmm/cli';
import * as captures from '@hmm/nvidia-uvm-model/validate';

import { benchCommand } from './bench-command.js';
import { bundledExample, examplesCommand } from './bundled.js';
import { allClients, byName, clients, of2016, policies } from './clients.js';
import { corpora } from './corpora.js';
import { devices } from './litmus-devices.js';
import { mutantsCommand } from './mutants-command.js';
import { recordedDemo } from './recorded-demo.js';
import { suiteClients, suites } from './suites.js';
import { viewCommand } from './view-command.js';

await main({
  name: 'hmm',
  version: '0.1.0',
  description: 'Linux Heterogeneous Memory Management, modelled: programs, drivers and recordings',
  examples: [
    'hmm demo',
    'hmm run first-example.hmm',
    'hmm compare first-example.hmm',
    'hmm validate tools/golden/h100-uvm/uvm-public.jsonl.gz',
    'hmm conform --client nouveau tools/golden/nouveau-6.12/public.jsonl.gz',
  ],
  example: bundledExample,
  commands: [
    examplesCommand,
    demoCommand(clients, recordedDemo, [{ year: '2016', factories: of2016 }]),
    runCommand(allClients),
    compareCommand(clients, 'p100', byName),
    gpusCommand(clients),
    exportCommand(clients),
    importCommand(),
    recordCommand(),
    sweepCommand(new URL('sweep-worker.js', import.meta.url), clients),
    validateCommand(captures),
    calibrateCommand(captures),
    conformCommand(corpora, new URL('conform-worker.js', import.meta.url)),
    litmusCommand(devices),
    policiesCommand(policies),
    suitesCommand(suites, suiteClients),
    fleetCommand(devices),
    mutantsCommand,
    benchCommand,
    viewCommand,
  ],
});
