import { HmmError } from '@hmm/kernel';

const PREFIX = 'hmm1-';

/**
 * What decided an execution: who ran each step, and the decisions made inside steps, in the order in which they were
 * made.
 */
export interface Schedule {
  /** The agent of each step. */
  readonly agents: readonly number[];
  /** Decisions, 0 the ordinary one. */
  readonly decisions: readonly number[];
}

/** The letter of an agent in a replay string: `a` is agent 1. */
const letter = (agent: number): string => String.fromCharCode(96 + agent);

/**
 * A schedule as one short word, such as `hmm1-a3b12a!01`: runs of steps of one agent, then the decisions up to the
 * last one that is not 0.
 */
export function encodeSchedule(schedule: Schedule): string {
  let text = PREFIX;
  const { agents, decisions } = schedule;
  for (let i = 0; i < agents.length;) {
    const agent = agents[i] ?? 0;
    let length = 1;
    while (agents[i + length] === agent) length++;
    text += letter(agent) + (length === 1 ? '' : String(length));
    i += length;
  }
  let last = decisions.length;
  while (last > 0 && decisions[last - 1] === 0) last--;
  return last === 0 ? text : text + '!' + decisions.slice(0, last).join('');
}

/**
 * Reads what {@link encodeSchedule} wrote.
 * @throws HmmError `REPLAY_STRING` when it is none.
 */
export function decodeSchedule(text: string): Schedule {
  const match = /^hmm1-((?:[a-z]\d*)*)(?:!(\d+))?$/.exec(text.trim());
  if (match === null) {
    throw new HmmError('REPLAY_STRING', `not a replay string: expected ${PREFIX}…, got ${text}`, { text });
  }
  const agents: number[] = [];
  for (const run of match[1]?.matchAll(/([a-z])(\d*)/g) ?? []) {
    const agent = (run[1] ?? 'a').charCodeAt(0) - 96;
    const length = run[2] === '' ? 1 : Number(run[2]);
    for (let i = 0; i < length; i++) agents.push(agent);
  }
  return { agents, decisions: Array.from(match[2] ?? '', Number) };
}

/** How often a schedule takes the turn away from an agent that runs again later. */
export function contextSwitches(agents: readonly number[]): number {
  let switches = 0;
  for (let i = 1; i < agents.length; i++) {
    if (agents[i] !== agents[i - 1] && agents.includes(agents[i - 1] ?? 0, i)) switches++;
  }
  return switches;
}
