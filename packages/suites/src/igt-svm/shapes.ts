import type { Flags } from './flags.js';

/** Who executes: one thread, several with an address space on the GPU each, several with a common one, several processes. */
type Agents = 'one' | 'threads' | 'threads-shared-vm' | 'process';

/** How often a flag set is executed, on how much memory, by whom. */
export interface Shape {
  readonly name: string;
  readonly agents: Agents;
  readonly executions: number;
  /** Size of a buffer, bytes; 0: as much as the executions' records need. */
  readonly bytes: number;
  /** Records from one execution's to the next one's; 0 for 1. */
  readonly stride: number;
}

/** Bytes of an execution's record: its batch, its fences and its datum. */
export const RECORD = 160;

/** Executions of `many`: the original's 128 are asked for. */
const MANY = 32;

function kinds(many: number): readonly Omit<Shape, 'agents'>[] {
  return [
    { name: 'once', executions: 1, bytes: 0, stride: 0 },
    { name: 'once-large', executions: 1, bytes: 2 ** 21, stride: 0 },
    { name: 'twice', executions: 2, bytes: 0, stride: 0 },
    { name: 'twice-large', executions: 2, bytes: 2 ** 21, stride: 0 },
    { name: 'many', executions: many, bytes: 0, stride: 0 },
    { name: 'many-stride', executions: many, bytes: 0, stride: 256 },
    { name: 'many-execqueues', executions: many, bytes: 0, stride: 0 },
    { name: 'many-large', executions: many, bytes: 2 ** 21, stride: 0 },
    { name: 'many-64k', executions: many, bytes: 2 ** 16, stride: 0 },
    { name: 'many-large-execqueues', executions: many, bytes: 2 ** 21, stride: 0 },
  ];
}

const SPREAD = ['many', 'many-stride', 'many-execqueues', 'many-large', 'many-large-execqueues'];

/**
 * The 25 shapes of `xe_exec_system_allocator`. Its sixteen queues take turns, each waited for before the next: here they are one.
 * @param many executions of the shapes that have many, even.
 */
export function shapes(many = MANY): readonly Shape[] {
  return [
    ...kinds(many).map((kind) => ({ ...kind, agents: 'one' as const })),
    ...(['threads', 'threads-shared-vm', 'process'] as const).flatMap((agents) =>
      kinds(many)
        .filter(({ name }) => SPREAD.includes(name))
        .map((kind) => ({ ...kind, agents, name: `${agents}-${kind.name}` })),
    ),
  ];
}

/** Why the original runs nothing of a flag set in a shape; undefined where it runs it. */
export function emptyInShape(flags: Flags, shape: Shape): string | undefined {
  if (flags.multiFault && shape.bytes === 0) return 'the original does nothing: four buffers need a size';
  if (flags.everyOther && shape.executions % 2 === 1)
    return 'the original does nothing: two executions make a round';
  if (shape.agents === 'one') return undefined;
  if (flags.forkRead) return 'the original does nothing: only one thread forks';
  return flags.file && shape.agents !== 'process'
    ? 'the original does nothing: threads have no file of their own'
    : undefined;
}

/** Why a flag set has no meaning here, or only in part. */
export function meaningless(flags: Flags): string | undefined {
  if (flags.boUnmap || flags.boMap)
    return 'no call of a driver here binds a buffer of its own over memory of the process';
  if (flags.busy) return 'no driver here can be asked to give up its mirror alone: -EBUSY has no call';
  return undefined;
}
