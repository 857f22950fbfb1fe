/** The agent with the lowest number in a set that is not empty. */
export const lowestAgent = (set: number): number => 31 - Math.clz32(set & -set);

/** Whether `agent` is in `set`. */
export const hasAgent = (set: number, agent: number): boolean => ((set >>> agent) & 1) !== 0;

/** The agents of `set`, the lowest first. */
export function agentsOf(set: number): number[] {
  const agents: number[] = [];
  for (let rest = set; rest !== 0; rest &= rest - 1) agents.push(lowestAgent(rest));
  return agents;
}

/** The agent that goes on when nothing else matters: the one that ran last, else the lowest of the set. */
export const continuing = (set: number, last: number): number =>
  last > 0 && hasAgent(set, last) ? last : lowestAgent(set);
