import { UvmModuleParams } from '@hmm/nvidia-uvm-model';
import { type CaptureRun, eventKey, runScenario } from '@hmm/nvidia-uvm-model/validate';

/** The default of `uvm_perf_thrashing_lapse_usec`, and others around it, µs: the clocks of two machines differ by more. */
const LAPSES = [475, 500, 525];

/**
 * Whether what happens in a run hangs on the thrashing lapse to a twentieth: two events of a page lie so far apart, or nearly, and
 * which side of it they fall on is the machine's pace. Two runs of a machine agree on that by chance, and those of another do not.
 */
export function isAtTheLapse(run: CaptureRun): boolean {
  const events = LAPSES.map((lapse) => {
    const params = new UvmModuleParams();
    params.set('uvm_perf_thrashing_lapse_usec', lapse);
    return runScenario(run, { params }).events.map(eventKey).join();
  });
  return new Set(events).size > 1;
}
