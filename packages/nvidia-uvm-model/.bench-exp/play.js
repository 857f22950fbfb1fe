import { Machine, playScript, workloadScript } from '@hmm/machine';
import { uvmFactory } from '@hmm/nvidia-uvm-model';
import { FULL_GPU_WARPS, gpuPhase, InOrder, Skewed, Streaming, UniformRandom, } from '@hmm/workload/patterns';
/** Pages of the paged trace: 1 GiB. */
const PAGES = 262_144;
const THIRD = 6_666_667;
/** A workload of one region, `pages` long, through which a GPU kernel goes. */
function oneKernel(pages, pattern, lanes = FULL_GPU_WARPS) {
    return { name: pattern.name, regions: [{ name: 'data', pages }], phases: [gpuPhase('kernel', pattern, lanes)] };
}
/** A third in sequence, a third skewed (u⁴), a third uniform. */
function thirds(accesses) {
    const passes = Math.ceil(accesses / PAGES);
    const streaming = new Streaming({ pages: PAGES, passes });
    return new InOrder([
        streaming,
        new Skewed({ pages: PAGES, accesses, exponent: 4 }),
        new UniformRandom({ pages: PAGES, accesses }),
    ]);
}
/** Plays a workload on an H100 with `memoryMib` of device memory. */
export function played(workload, memoryMib) {
    const machine = new Machine();
    const { kernel, memory } = machine;
    const made = uvmFactory().create({ kernel, memory, seed: 1 }, 'h100', new Map([['vram', String(memoryMib)]]));
    if (!made.ok)
        throw new Error(made.message);
    machine.addDevice('D0', made.client);
    const cpu0=process.cpuUsage().user;
    const { accesses, problem } = playScript(machine, workloadScript(workload, 1), { memory: 'managed' });
    const ms = (process.cpuUsage().user-cpu0)/1000;
    if (problem !== undefined)
        throw new Error(problem);
    const { movedPages } = made.client.driver.tools.counters;
    const { faults, batches } = made.client.counters();
    return { ms, accesses, movedPages, faults, batches };
}
export { oneKernel, thirds, THIRD, PAGES };
