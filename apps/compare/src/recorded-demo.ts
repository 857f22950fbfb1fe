import { fileURLToPath } from 'node:url';
import { type DemoRecording, readInput, type ReplayedScenario } from '@hmm/cli';
import * as captures from '@hmm/nvidia-uvm-model/validate';

/** The capture in a clone of the repository; an installed package has none. */
const CAPTURE = fileURLToPath(new URL('../../../tools/golden/h100-uvm/uvm-public.jsonl.gz', import.meta.url));

/** What the real driver did on a real H100, beside what the model does: first GPU reads of memory that the CPU wrote. */
export const recordedDemo: DemoRecording = {
  title:
    'A recording of the real thing: an NVIDIA H100 with driver 580.159.04 reads 2 MiB of managed memory that the CPU wrote, page by page in several orders, beside the model doing the same.',
  async replay() {
    const input = await readInput(CAPTURE);
    if (!input.ok) return `The recordings are part of a clone of the repository. ${input.message}`;
    const parsed = captures.parseCapture(input.text);
    if (!parsed.ok) return `${CAPTURE}:${parsed.line}:${parsed.column}: ${parsed.message}`;
    return captures
      .scenariosOf(parsed.runs)
      .filter(({ name }) => name.startsWith('read-2m-'))
      .flatMap((scenario) => scenario.runs.slice(0, 1))
      .map(replayed);
  },
};

function replayed(run: captures.CaptureRun): ReplayedScenario {
  const result = captures.runScenario(run);
  const hardware = run.events.map(eventText);
  const model = result.events.map(eventText);
  return {
    name: run.scenario,
    exact: hardware.join('\n') === model.join('\n'),
    hardware,
    model,
    hardwareNs: run.steps.reduce((sum, step) => sum + step.t1 - step.t0, 0),
    modelNs: result.stepNs.reduce((sum, ns) => sum + ns, 0),
  };
}

/** Kind, place and size of an event: all that is compared, without times. */
function eventText({ e, at, v, f }: captures.CaptureEvent): string {
  const bytes = e === 'htod' || e === 'dtoh' ? ` ${v} bytes` : ` v=${v}`;
  return `${e} at ${at}${bytes} f=${f}`;
}
