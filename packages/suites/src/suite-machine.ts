import { HmmError, type Release } from '@hmm/kernel';
import { Machine, type MachineOptions, runProgram } from '@hmm/machine';
import type { ProgramFile } from '@hmm/workload';
import type { SuiteClient, Verdict } from './suite.js';
import { verdictOf } from './run-verdict.js';

/** 1 GiB of system memory and 3 GiB for devices, eight huge pages set aside. */
const MEMORY = {
  frames: 1_048_576,
  systemFrames: 262_144,
  maxTables: 768,
  nrHugepages: 8,
} satisfies MachineOptions['memory'];
/** Device memory, MiB, of a driver that is told how much there is. */
const VRAM_MIB = 768;
/** The devices that a program may name. */
const DEVICES = ['D0', 'D1'];

/**
 * A machine with a client's driver, on which the tests of a suite run one after another, as after one boot: each in processes
 * of its own, which end with it.
 */
export class SuiteMachine {
  private readonly client: SuiteClient;
  private readonly release: Release;
  /** Settings besides the client's own. */
  private readonly settings: ReadonlyMap<string, string>;
  private booted: Machine | undefined;

  constructor(client: SuiteClient, release: Release, settings: ReadonlyMap<string, string> = new Map()) {
    this.client = client;
    this.release = release;
    this.settings = settings;
  }

  /** Runs a program. After a failure the machine is booted again. */
  run(program: ProgramFile): Verdict {
    const machine = this.booted ?? this.boot();
    if (!(machine instanceof Machine)) return machine;
    this.booted = undefined;
    try {
      const verdict = verdictOf(runProgram(machine, program)) ?? brokenIn(machine) ?? { result: 'passed' };
      endProcesses(machine);
      if (verdict.result !== 'failed') this.booted = machine;
      return verdict;
    } catch (error) {
      if (error instanceof HmmError) return { result: 'failed', reason: `${error.code}: ${error.message}` };
      throw error;
    }
  }

  /** A new machine, or why the client does not take part. */
  private boot(): Machine | Verdict {
    const { factory, gpu, settings } = this.client;
    const machine = new Machine({ kernel: { release: this.release }, memory: MEMORY });
    const { kernel, memory } = machine;
    const vram = 'vram' in factory.settings ? [['vram', String(VRAM_MIB)] as const] : [];
    for (const name of DEVICES) {
      const chosen = new Map([...vram, ...settings, ...this.settings]);
      const made = factory.create({ kernel, memory, seed: 1 }, gpu, chosen);
      if (!made.ok) return { result: 'refused', reason: made.message };
      const capability = made.client.capability();
      if (!capability.ok) return { result: 'refused', reason: capability.reason };
      const { systemMemory, systemMemoryRefusal = 'it has managed memory only' } = capability.features;
      if (!systemMemory) return { result: 'refused', reason: systemMemoryRefusal };
      machine.addDevice(name, made.client);
    }
    return machine;
  }
}

/** All processes end, children first, and with them their memory and its names. */
function endProcesses(machine: Machine): void {
  for (const process of [...machine.processes.values()].reverse()) {
    if (process.alive) machine.run(`end of ${process.name}`, machine.exit(process));
  }
  machine.regions.clear();
}

/** What a driver finds broken of its own rules once nothing is under way. */
function brokenIn(machine: Machine): Verdict | undefined {
  const pages = [...machine.regions.values()].map(({ vpn }) => vpn);
  for (const name of machine.deviceNames()) {
    const [broken] = machine.client(name).brokenInvariants?.(pages, true) ?? [];
    if (broken !== undefined) return { result: 'failed', reason: `${broken.invariant}: ${broken.detail}` };
  }
  return undefined;
}
