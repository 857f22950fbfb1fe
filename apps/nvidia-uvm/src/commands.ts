import { calibrateCommand, type CommandBuilder, runCommand, validateCommand } from '@hmm/cli';
import { uvmFactory } from '@hmm/nvidia-uvm-model';
import * as captures from '@hmm/nvidia-uvm-model/validate';

/** What `hmm-nvidia-uvm` can do: programs under this driver, recordings of the real one. */
export const UVM_COMMANDS: readonly CommandBuilder[] = [
  runCommand([uvmFactory()]),
  validateCommand(captures),
  calibrateCommand(captures),
];
