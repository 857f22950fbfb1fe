import { HPAGE_PMD_NR } from '@hmm/kernel';
import { type AccessObserver } from '@hmm/kernel/internal';
import {
  MAP_ANONYMOUS,
  MAP_HUGETLB,
  MAP_PRIVATE,
  PROT_READ,
  PROT_WRITE,
  cpuWriteByte,
  sysMmap,
} from '@hmm/mm';
import { findPmd, isHuge, PTE_YOUNG } from '@hmm/mm/internal';
import { type DeviceProcess, RES_CPU, RES_CPU_MAPPED, RES_DEVICE } from '@hmm/device';
import type { Machine } from '../machine.js';
import { runProgram } from '../program.js';
import {
  broken,
  type ClientMaker,
  type ContractCase,
  DEVICE,
  featuresOf,
  newMachine,
  NOT_OF_THIS_CLIENT,
  parse,
  prepare,
} from './contract-machine.js';

/** The promises about what a client says of memory, and about what it leaves behind. */
export const STATE_CASES: readonly ContractCase[] = [
  { name: 'every page of a huge page is somewhere', check: checkHugePage },
  { name: 'every page of a huge page of hugetlb is somewhere', check: checkHugetlb },
  { name: 'questions change nothing', check: checkQueries },
  ...[
    ['pins end with their process', 'pin a rc e'],
    ['a pin that got a part of its pages keeps none', 'munmap a[2] pin a rc e'],
  ].map(([name = '', text = '']) => ({ name, check: (make: ClientMaker) => checkPins(make, text) })),
];

function checkHugePage(make: ClientMaker): string | undefined {
  const on = newMachine(make);
  const features = featuresOf(on.client);
  if (typeof features === 'string') return features;
  if (!features.systemMemory) return NOT_OF_THIS_CLIENT;
  return broken(() => {
    const ready = prepare(on, 'malloc a 2MiB madvise a hugepage cpu write a = 1');
    if (typeof ready === 'string') return ready;
    const { machine, process, device, vpn } = ready;
    const { lanes } = machine.memory.tables;
    if (!isHuge(lanes[findPmd(process.mm, vpn)] ?? 0)) return 'the memory is no huge page';
    const told = residentOnCpu(device, vpn);
    if (told !== undefined) return told;
    machine.run('prefetch', device.prefetch(vpn, HPAGE_PMD_NR, 'gpu'));
    const bits = new Uint8Array(HPAGE_PMD_NR);
    device.residency(vpn, HPAGE_PMD_NR, bits);
    const lost = bits.findIndex((of) => (of & (RES_CPU | RES_DEVICE)) === 0);
    return lost < 0 ? undefined : `after a prefetch page ${lost} is nowhere`;
  });
}

function checkHugetlb(make: ClientMaker): string | undefined {
  const on = newMachine(make, false, { nrHugepages: 2 });
  const features = featuresOf(on.client);
  if (typeof features === 'string') return features;
  if (!features.systemMemory) return NOT_OF_THIS_CLIENT;
  return broken(() => {
    const { machine } = on;
    const process = machine.spawnProcess('main');
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;
    const vpn = machine.run('mmap', sysMmap(process.mm, 0, HPAGE_PMD_NR, PROT_READ | PROT_WRITE, flags));
    if (vpn < 0) return `mmap failed with ${vpn}`;
    machine.run('write', cpuWriteByte(process.mm, vpn, 0, 1));
    const opened = machine.run('open', machine.device(process, DEVICE));
    return opened.ok ? residentOnCpu(opened.process, vpn) : opened.reason;
  });
}

/** What is wrong with the residency of a huge page that only the CPU has touched. */
function residentOnCpu(device: DeviceProcess, vpn: number): string | undefined {
  const bits = new Uint8Array(HPAGE_PMD_NR);
  device.residency(vpn, HPAGE_PMD_NR, bits);
  const seen = RES_CPU | RES_DEVICE | RES_CPU_MAPPED;
  const wrong = bits.findIndex((of) => (of & seen) !== (RES_CPU | RES_CPU_MAPPED));
  return wrong < 0 ? undefined : `page ${wrong}, which the CPU wrote, has the bits ${bits[wrong] ?? 0}`;
}

function checkQueries(make: ClientMaker): string | undefined {
  const on = newMachine(make, true);
  const features = featuresOf(on.client);
  if (typeof features === 'string') return features;
  return broken(() => {
    const memory = features.systemMemory ? 'malloc' : 'managed';
    const ready = prepare(on, `${memory} a 4pages cpu write a = 1 gpu read a[1] -> x cpu read a[2] -> y`);
    if (typeof ready === 'string') return ready;
    const { machine, client, device, vpn } = ready;
    return changedBy(machine, () => {
      const bits = new Uint8Array(4);
      device.residency(vpn, 4, bits);
      device.fatal();
      client.counters();
      client.capability();
    });
  });
}

/** What `ask` changes of a machine or reports as an access, after all marks of use are taken away; undefined if nothing. */
export function changedBy(machine: Machine, ask: () => void): string | undefined {
  const { memory, kernel } = machine;
  const { lanes } = memory.tables;
  for (let lane = 0; lane < lanes.length; lane += 2) {
    const flags = lanes[lane] ?? 0;
    if ((flags & PTE_YOUNG) !== 0) lanes[lane] = flags & ~PTE_YOUNG;
  }
  const entries = lanes.slice();
  const frames = memory.map.flags.slice();
  const events = kernel.trace.length;
  const then = kernel.sched.now;
  let reported = 0;
  const count = (): void => {
    reported++;
  };
  const observer: AccessObserver = { access: count, count, acquire: count, release: count };
  kernel.sched.observer = observer;
  ask();
  kernel.sched.observer = undefined;
  if (lanes.some((lane, at) => lane !== entries[at])) return 'an entry of a page table changed';
  if (memory.map.flags.some((flags, pfn) => flags !== frames[pfn])) return 'the flags of a frame changed';
  if (kernel.trace.length !== events) return 'events were recorded';
  if (kernel.sched.now !== then) return 'time passed';
  return reported === 0 ? undefined : `${reported} accesses to shared state were reported`;
}

/** A child that pins memory and exits leaves as much memory free as one that does not pin. */
function checkPins(make: ClientMaker, pins: string): string | undefined {
  const on = newMachine(make);
  const features = featuresOf(on.client);
  if (typeof features === 'string') return features;
  if (!features.systemMemory) return NOT_OF_THIS_CLIENT;
  return broken(() => {
    const free = [pins, pins.replace(/pin .*/, '')].map((text) => {
      const { machine } = newMachine(make);
      const program = `malloc a 8pages cpu write a = 1 gpu read a -> x
        fork child in child { cpu write a = 2 gpu read a -> y ${text} } wait child`;
      const { problem } = runProgram(machine, parse(program));
      return problem?.message ?? machine.memory.pages.free;
    });
    const [pinned, plain] = free;
    return pinned === plain
      ? undefined
      : `${String(pinned)} pages are free after pins, ${String(plain)} without`;
  });
}
