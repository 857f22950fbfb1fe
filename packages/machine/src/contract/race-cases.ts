import { AGENT_DONE, AGENT_READY, type Agent, type Sched } from '@hmm/kernel';
import { prepareProgram } from '../program.js';
import {
  broken,
  type ClientMaker,
  type ContractCase,
  featuresOf,
  newMachine,
  NOT_OF_THIS_CLIENT,
  parse,
} from './contract-machine.js';

/** Enough for two processes of a few pages. */
const MEMORY = { frames: 16_384, systemFrames: 8192, maxTables: 512 };
/** Places at which the CPU's thread comes in, at most: evenly over the device's. */
const MOST_PLACES = 12;
/** Steps after which a run has no end. */
const MOST_STEPS = 200_000;

/** What the CPU does while the device accesses `a`, and what must hold afterwards. */
interface Race {
  readonly name: string;
  /** What the device does: T0. */
  readonly device: string;
  /** What the CPU does: T1, a statement each. */
  readonly cpu: readonly string[];
  /** Statements after both; their assertions are the promise. */
  readonly after: string;
}

const RACES: readonly Race[] = [
  {
    name: 'pages that were dropped and written anew',
    device: 'gpu read a -> x rc e',
    cpu: ['madvise a dontneed', 'cpu write a = 7'],
    after: 'gpu read a -> y assert y == [7, 7]',
  },
  {
    name: 'pages that are gone',
    device: 'gpu read a -> x rc e',
    cpu: ['munmap a'],
    after: 'gpu read a -> y rc f assert f < 0',
  },
  {
    name: 'pages that have become read-only',
    device: 'gpu write a = 9 rc e',
    cpu: ['mprotect a r', 'cpu read a -> x'],
    after: 'gpu write a = 8 rc f assert f < 0 cpu read a -> y assert y == x \\/ y == [9, 9]',
  },
  {
    name: 'pages that were copied after a fork',
    device: 'gpu read a -> x rc e',
    cpu: ['fork kid', 'cpu write a = 7'],
    after: 'gpu read a -> y assert y == [7, 7] wait kid',
  },
];

/**
 * The promises of the mirror protocol: a device that is in the middle of a fault while the CPU changes the pages does not go on
 * with what it saw before. Explored with one switch: the device runs up to a point, the CPU's thread comes in there and runs as
 * far as it can, for each of the device's scheduling points and each time that it drops `mmap_lock`.
 */
export const RACE_CASES: readonly ContractCase[] = RACES.map((race) => ({
  name: `a fault that races with the CPU does not keep ${race.name}`,
  check: (make) => checkRace(race, make),
}));

function checkRace(race: Race, make: ClientMaker): string | undefined {
  const features = featuresOf(newMachine(make, false, MEMORY).client);
  if (typeof features === 'string') return features;
  if (!features.systemMemory) return NOT_OF_THIS_CLIENT;
  if (race.device.includes('write') && typeof features.readOnlyRefusal === 'string')
    return `skip: ${features.readOnlyRefusal}`;
  return broken(() => {
    const whole = runRace(race, make, {});
    if (whole.failed !== undefined) return whole.failed;
    for (const place of placesIn(whole)) {
      const { failed } = runRace(race, make, place);
      const where =
        place.unlock === undefined ? `${place.step ?? 0} steps of the device` : 'mmap_lock was dropped';
      if (failed !== undefined) return `${failed}, when the CPU comes in after ${where}`;
    }
    return undefined;
  });
}

/** Where T1 comes in: after so many steps of the others, or when they have dropped `mmap_lock` so often; neither: after T0. */
interface Place {
  readonly step?: number;
  readonly unlock?: number;
}

/** What a run of a race came to. */
interface RaceRun {
  /** Steps that T0 took to its end, and how often `mmap_lock` was dropped in them. */
  readonly steps: number;
  readonly unlocks: number;
  /** What does not hold. */
  readonly failed: string | undefined;
}

function placesIn({ steps, unlocks }: RaceRun): Place[] {
  const evenly = (count: number): number[] => {
    const apart = Math.max(1, Math.ceil(count / MOST_PLACES));
    return Array.from({ length: Math.ceil(count / apart) }, (_, i) => i * apart);
  };
  return [...evenly(unlocks).map((unlock) => ({ unlock })), ...evenly(steps).map((step) => ({ step }))];
}

function runRace({ device, cpu, after }: Race, make: ClientMaker, place: Place): RaceRun {
  const { machine } = newMachine(make, false, MEMORY);
  const { sched } = machine.kernel;
  const lines = cpu.map((statement, at) => `${at === 0 ? device : ''} | ${statement} ;`);
  const columns = `T0 | T1 ;\n${lines.join('\n')}`;
  const text = `litmus race\nmalloc a 2pages\nmalloc b 1page\ncpu write a = 1\ngpu read b -> w\n${columns}\nfinal { ${after} }\nforall (0 == 0)`;
  const prepared = prepareProgram(machine, parse(text));
  const early = machine.run('main', prepared.body);
  const [first, second] = prepared.threads.map(({ name, task }) => sched.spawn(name, task()));
  const mm = machine.processes.get('main')?.mm;
  if (early !== undefined || first === undefined || second === undefined || mm === undefined)
    return { steps: 0, unlocks: 0, failed: early?.message ?? 'there are no two threads' };
  const comeIn = (): void => {
    while (second.state === AGENT_READY) step(sched, second);
  };
  let [steps, unlocks] = [0, 0];
  const unlock = mm.mmapLock.unlockRead.bind(mm.mmapLock);
  mm.mmapLock.unlockRead = (): void => {
    unlock();
    if (sched.current !== second && unlocks++ === place.unlock) comeIn();
  };
  sched.exploring = true;
  try {
    const most = place.step ?? MOST_STEPS;
    while (first.state !== AGENT_DONE && steps < most && stepOf(sched, second)) steps++;
    comeIn();
  } finally {
    sched.exploring = false;
    mm.mmapLock.unlockRead = unlock;
  }
  if (steps >= MOST_STEPS) return { steps, unlocks, failed: 'the device does not come to its end' };
  sched.run();
  const problem = machine.run('final', prepared.final());
  return { steps, unlocks, failed: problem?.message ?? prepared.context.state.failures[0]?.seen };
}

/** A step of the agent that virtual time would run next, `other` left out; false when there is none, or no end. */
function stepOf(sched: Sched, other: Agent): boolean {
  const ready = sched.agents.filter(
    (agent) => agent !== other && agent.state === AGENT_READY && agent.task !== undefined,
  );
  const [agent] = ready.sort((a, b) => a.wakeAt - b.wakeAt || a.id - b.id);
  if (agent === undefined) return false;
  step(sched, agent);
  return true;
}

function step(sched: Sched, agent: Agent): void {
  if (agent.wakeAt > sched.now) sched.now = agent.wakeAt;
  sched.step(agent);
}
