import { EOPNOTSUPP, type Task } from '@hmm/kernel';
import type { Machine } from '../machine.js';
import { prepareProgram, runProgram } from '../program.js';
import { CONTRACT_PROGRAMS, type ContractProgram } from './cases.js';
import {
  broken,
  type ClientMaker,
  type ContractCase,
  DEVICE,
  featuresOf,
  newMachine,
  NOT_OF_THIS_CLIENT,
  parse,
} from './contract-machine.js';
import { RACE_CASES } from './race-cases.js';
import { STATE_CASES } from './state-cases.js';
import { STREAM_CASES } from './stream-cases.js';

/** Times at which a device is closed under a running kernel, ns. */
const CLOSE_AT = [0, 1, 500, 2_000, 7_000, 20_000, 55_000, 150_000, 400_000, 1_000_000];

/** All promises. */
export function contractCases(): ContractCase[] {
  return [
    ...CONTRACT_PROGRAMS.map((program) => ({
      name: program.name,
      check: (make: ClientMaker) => checkProgramCase(program, make),
    })),
    ...CLOSE_AT.map((ns) => ({
      name: `a device closed ${ns} ns into a kernel ends it, and the CPU has whole values`,
      check: (make: ClientMaker) => checkClose(ns, make),
    })),
    { name: 'the same run twice gives the same events', check: checkDeterminism },
    { name: 'counters, log and residency can be read at any time', check: checkInspection },
    ...STREAM_CASES,
    ...RACE_CASES,
    ...STATE_CASES,
  ];
}

function checkProgramCase(program: ContractProgram, make: ClientMaker): string | undefined {
  const { machine, client } = newMachine(make);
  const features = featuresOf(client);
  if (typeof features === 'string') return features;
  const needs = program.needs?.(features) ?? true;
  if (typeof needs === 'string') return `skip: ${needs}`;
  if (!needs) return NOT_OF_THIS_CLIENT;
  const memory = features.systemMemory ? 'malloc' : 'managed';
  return broken(() => {
    const run = runProgram(machine, parse(program.text.replaceAll('MEM', memory)));
    if (run.problem !== undefined) {
      const refuses =
        program.pressure === true && machine.run('pressure', client.limitMemory(0)) === -EOPNOTSUPP;
      if (refuses) return 'skip: this driver gives no memory back';
      return `line ${run.problem.span.line}: ${run.problem.message}`;
    }
    return run.failures[0] && `line ${run.failures[0].span.line}: ${run.failures[0].seen}`;
  });
}

/**
 * A kernel writes pages while the device is closed at `ns`. Afterwards each page has its old or its new value whole,
 * and where the kernel says that it finished, all new ones.
 */
function checkClose(ns: number, make: ClientMaker): string | undefined {
  const { machine, client } = newMachine(make);
  const features = featuresOf(client);
  if (typeof features === 'string') return features;
  if (!features.systemMemory) return 'skip: closing frees managed memory';
  return broken(() => {
    const program = parse(`malloc a 64pages
      cpu write a = 1
      gpu read a -> before
      gpu write a = 2 rc e
      cpu read a -> after`);
    const start = program.body.slice(0, 3);
    const prepared = prepareProgram(machine, { ...program, body: start });
    const early = machine.run('main', prepared.body);
    if (early !== undefined) return early.message;
    const rest = prepareProgram(machine, { ...program, body: program.body.slice(3) });
    machine.kernel.sched.spawn('closer', closer(machine, ns));
    const problem = machine.run('kernel', rest.body);
    if (problem !== undefined) return problem.message;
    const after = rest.context.state.results.get('after') ?? [];
    if (after.some((value) => value !== 1 && value !== 2)) return `a page has ${after.join(',')}`;
    const ended = rest.context.state.results.get('e')?.[0] ?? 0;
    return ended === 0 && after.includes(1) ? 'the kernel finished, but a write of it is lost' : undefined;
  });
}

function* closer(machine: Machine, ns: number): Task {
  yield* machine.kernel.sched.delay(ns);
  for (const process of machine.processes.values()) {
    const device = process.devices.get(DEVICE);
    if (device === undefined) continue;
    yield* device.close();
    yield* device.close();
  }
}

function checkDeterminism(make: ClientMaker): string | undefined {
  const traces = [0, 1].map(() => {
    const { machine, client } = newMachine(make, true);
    const features = featuresOf(client);
    const memory = typeof features !== 'string' && features.systemMemory ? 'malloc' : 'managed';
    runProgram(
      machine,
      parse(`${memory} a 32pages cpu write a = 1 gpu read a parallel gpu write a rand:2 cpu read a`),
    );
    const { trace } = machine.kernel;
    return Array.from({ length: trace.length }, (_, at) => JSON.stringify(trace.at(at)));
  });
  const [first = [], second = []] = traces;
  const at = first.findIndex((event, index) => event !== second[index]);
  if (at >= 0) return `event ${at} was ${first[at] ?? ''}, then ${second[at] ?? ''}`;
  return first.length === second.length ? undefined : `${first.length} events, then ${second.length}`;
}

function checkInspection(make: ClientMaker): string | undefined {
  const { machine, client } = newMachine(make);
  const features = featuresOf(client);
  if (typeof features === 'string') return features;
  const memory = features.systemMemory ? 'malloc' : 'managed';
  return broken(() => {
    const atStart = client.counters();
    const then = JSON.stringify(atStart);
    const run = runProgram(machine, parse(`${memory} a 4pages cpu write a = 1 gpu read a -> x cpu read a`));
    if (run.problem !== undefined) return run.problem.message;
    const region = machine.regions.get('a');
    const device = machine.processes.get('main')?.devices.get(DEVICE);
    if (region === undefined || device === undefined) return 'the device was not opened';
    const bits = new Uint8Array(4);
    if (JSON.stringify(atStart) !== then) return 'counters that were handed out went on counting';
    const before = JSON.stringify(client.counters());
    device.residency(region.vpn, 4, bits);
    device.residency(region.vpn, 4, bits);
    if (JSON.stringify(client.counters()) !== before) return 'looking at residency changed the counters';
    if (bits.includes(0)) return `pages with data are resident nowhere: ${bits.join(',')}`;
    return device.fatal();
  });
}
