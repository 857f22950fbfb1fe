import type { PlayHint } from '@hmm/machine';
import type { AdviceReport } from '@hmm/report';
import { type DiagnosedRequest, type DiagnosedRun, runSubject } from './diagnosed-run.js';

/** Regions for which advice is tried: those with the most traffic. */
const REGIONS = 2;
/** Advice is not tried on runs with more GPU faults or accesses than this: each trial is a run of its own. */
const MOST_FAULTS = 2_000_000;
const MOST_ACCESSES = 50_000_000;
/** What is not at least so many times faster is not worth a line. */
const WORTH = 1.05;

interface Trial {
  readonly what: string;
  /** Why it can help, a clause. */
  readonly why: string;
  readonly hints: readonly PlayHint[];
  readonly memory?: 'managed' | 'malloc';
}

/**
 * Advice for a run, each piece of it simulated: what makes the whole run faster, best first. null where trying would take too
 * long.
 */
export function simulatedAdvice(
  request: DiagnosedRequest,
  before: Extract<DiagnosedRun, { ok: true }>,
): AdviceReport[] | null {
  const { subject } = request;
  if (before.report.error !== null || before.report.faults > MOST_FAULTS) return null;
  if (subject.kind === 'play' && subject.play.accesses > MOST_ACCESSES) return null;
  const base = before.report.time_ns;
  const found: AdviceReport[] = [];
  const bytes = new Map(before.diagnosis.regions.map((region) => [region.name, region.bytes]));
  for (const { what, why, hints, memory } of trials(request, before)) {
    const tried = runSubject(
      { ...request, hints: [...request.hints, ...hints], memory: memory ?? request.memory },
      undefined,
    );
    if (!tried.ok || tried.report.error !== null || tried.report.failed.length > 0) continue;
    const time = tried.report.time_ns;
    if (time > 0 && base / time >= WORTH) {
      const calls = hints.map((hint) => cudaCall(hint, bytes.get(hint.region) ?? 0));
      const statements = hints.map(statementOf);
      found.push({ what, why, calls, statements, time_ns: time, speedup: base / time });
    }
  }
  return found.sort((a, b) => b.speedup - a.speedup);
}

function trials(request: DiagnosedRequest, before: Extract<DiagnosedRun, { ok: true }>): Trial[] {
  const capability = before.client.capability();
  if (!capability.ok) return [];
  const { advice, faultMigration, managedMemory, systemMemory } = capability.features;
  const { regions } = before.diagnosis;
  const busiest = regions
    .filter((r) => r.gpu_faults > 0 || r.bytes_to_device + r.bytes_to_host > 0)
    .sort((a, b) => b.bytes_to_device + b.bytes_to_host - a.bytes_to_device - a.bytes_to_host);
  const found: Trial[] = [];
  if (busiest.length > 0) {
    const hints = busiest.map(({ name }): PlayHint => ({ region: name, kind: 'prefetch' }));
    const what = `a prefetch of ${busiest.map(({ name }) => name).join(', ')} before each GPU kernel`;
    found.push({ what, why: 'data come in large copies, not by faults', hints });
  }
  for (const { name } of busiest.slice(0, REGIONS)) {
    if (advice.includes('preferred')) {
      const cpu: PlayHint = { region: name, kind: 'advise', advice: 'preferred', place: 'cpu' };
      const map: PlayHint = { region: name, kind: 'advise', advice: 'accessed_by', place: 'gpu' };
      const both = `preferred location CPU and accessed by GPU on region ${name}`;
      found.push({
        what: both,
        why: 'the GPU reaches the data over the link, and nothing moves',
        hints: [cpu, map],
      });
      const gpu: PlayHint = { region: name, kind: 'advise', advice: 'preferred', place: 'gpu' };
      const stays = 'the data stay on the GPU while the CPU uses them';
      found.push({ what: `preferred location GPU on region ${name}`, why: stays, hints: [gpu] });
    }
    if (advice.includes('read_mostly')) {
      const mostly: PlayHint = { region: name, kind: 'advise', advice: 'read_mostly', place: 'gpu' };
      const copies = 'both sides read copies of their own';
      found.push({ what: `read-mostly on region ${name}`, why: copies, hints: [mostly] });
    }
  }
  if (faultMigration && managedMemory && systemMemory && request.subject.kind === 'play') {
    const other =
      before.machine.regions.values().next().value?.managedBy === undefined ? 'managed' : 'malloc';
    found.push({
      what: other === 'managed' ? 'cudaMallocManaged for malloc' : 'malloc for cudaMallocManaged (needs HMM)',
      why: 'the driver moves the two kinds of memory by different rules',
      hints: [],
      memory: other,
    });
  }
  return found;
}

/** Advice, as CUDA names it. */
const CUDA_ADVICE: Readonly<Record<string, string>> = {
  preferred: 'cudaMemAdviseSetPreferredLocation',
  accessed_by: 'cudaMemAdviseSetAccessedBy',
  read_mostly: 'cudaMemAdviseSetReadMostly',
};

/** A hint as the call of CUDA's runtime that gives it; the GPU is device 0. */
export function cudaCall(hint: PlayHint, bytes: number): string {
  const { region } = hint;
  const pointer = region.startsWith('0x') ? `(void *)${region}` : region;
  if (hint.kind === 'prefetch')
    return `cudaMemPrefetchAsync(${pointer}, ${bytes}, 0, stream);  // before each kernel`;
  const place = hint.place === 'cpu' ? 'cudaCpuDeviceId' : '0';
  return `cudaMemAdvise(${pointer}, ${bytes}, ${CUDA_ADVICE[hint.advice] ?? hint.advice}, ${place});`;
}

/** A hint as a statement of the program language. */
function statementOf(hint: PlayHint): string {
  return hint.kind === 'prefetch'
    ? `prefetch ${hint.region} to gpu`
    : `advise ${hint.region} ${hint.advice} ${hint.place}`;
}
