import { agentsOf } from '../strategies/agent-set.js';
import { Replay } from '../strategies/replay.js';
import { Execution } from './execution.js';
import { FunctionNames } from './function-names.js';
import type { Model, Violation } from './model.js';
import { decodeSchedule, encodeSchedule } from './schedule.js';

/** One step of a story. */
export interface StoryStep {
  /** Name of the agent that ran. */
  readonly agent: string;
  /** Kernel functions that touched shared state, in order. */
  readonly functions: readonly string[];
  /** What of the model's view changed: `name: before → after`. */
  readonly changes: readonly string[];
  /** Who could have run instead, each with the replay string of the execution that goes on with it. */
  readonly instead: readonly Transition[];
}

/** A way on from a state that a story did not take. */
export interface Transition {
  readonly agent: string;
  readonly replay: string;
}

/** An execution, told. */
export interface Story {
  /** The agents, in the order of their columns. */
  readonly agents: readonly string[];
  readonly steps: readonly StoryStep[];
  /** What it breaks; undefined when it breaks nothing. */
  readonly violation: Violation | undefined;
  /** The outcome, of a complete execution. */
  readonly outcome: string | undefined;
  /** The whole schedule, including what the given one left to chance. */
  readonly replay: string;
}

/** A replay that remembers between whom there was a choice. */
class WatchedReplay extends Replay {
  /** The agents that could make the next step, as a set. */
  ready = 0;

  /** @inheritdoc */
  override pick(ready: number, last: number): number {
    this.ready = ready;
    return super.pick(ready, last);
  }
}

/** The other ways on from the state before the last step of `execution`, with the `decisions` made up to there. */
function insteadOf(
  execution: Execution,
  ready: number,
  decisions: readonly number[],
  model: Model,
): Transition[] {
  const before = execution.agents.slice(0, -1);
  const taken = execution.agents.at(-1);
  return agentsOf(ready)
    .filter((agent) => agent !== taken)
    .map((agent) => ({
      agent: model.sched.agents[agent]?.name ?? '',
      replay: encodeSchedule({ agents: [...before, agent], decisions }),
    }));
}

/**
 * Runs the schedule `replay` and tells, step by step, what happened.
 * @param seen is handed the model's view at the beginning and after each step.
 */
export function tell(
  model: Model,
  replay: string,
  maxSteps: number,
  seen?: (view: ReadonlyMap<string, string>) => void,
): Story {
  const names = new FunctionNames(false, [model.naming]);
  const strategy = new WatchedReplay(decodeSchedule(replay), names);
  const execution = new Execution(model, strategy, maxSteps);
  const steps: StoryStep[] = [];
  let before: ReadonlyMap<string, string> | undefined;
  let decisions: readonly number[] = [];
  execution.onStart = () => {
    before = model.view?.();
    seen?.(before ?? NOTHING_SEEN);
  };
  execution.listener = (agent) => {
    const after = model.view?.();
    const instead = insteadOf(execution, strategy.ready, decisions, model);
    decisions = execution.decisions.slice();
    steps.push({ agent: agent.name, functions: names.take(), changes: changes(before, after), instead });
    before = after;
    seen?.(after ?? NOTHING_SEEN);
  };
  strategy.begin();
  execution.run();
  const rest = names.take();
  const torn = model.sched.current;
  if (rest.length > 0) {
    const after = model.view?.();
    steps.push({ agent: torn.name, functions: rest, changes: changes(before, after), instead: [] });
    seen?.(after ?? NOTHING_SEEN);
  }
  return {
    agents: model.sched.agents.slice(1).map((agent) => agent.name),
    steps,
    violation: execution.violation,
    outcome: execution.outcome?.text,
    replay: encodeSchedule(execution),
  };
}

/** The view of a model that has none. */
const NOTHING_SEEN: ReadonlyMap<string, string> = new Map();

function changes(
  before: ReadonlyMap<string, string> | undefined,
  after: ReadonlyMap<string, string> | undefined,
): string[] {
  if (before === undefined || after === undefined) return [];
  const lines: string[] = [];
  for (const [name, text] of after) {
    const was = before.get(name) ?? 'none';
    if (was !== text) lines.push(`${name}: ${was} → ${text}`);
  }
  for (const [name, was] of before) if (!after.has(name)) lines.push(`${name}: ${was} → none`);
  return lines;
}

/**
 * A story as text: the broken invariant on top, then one column an agent and one row a step, and the replay string
 * at the end.
 * @param width of a column, in characters.
 */
export function formatStory(story: Story, width = 38): string {
  const { agents, steps, violation } = story;
  const lines: string[] = [];
  if (violation !== undefined) lines.push(`broken: ${violation.invariant}: ${violation.detail}`, '');
  const row = (cells: readonly string[]): string =>
    cells
      .map((cell) => cell.padEnd(width))
      .join('| ')
      .trimEnd();
  lines.push(row(agents), row(agents.map(() => '-'.repeat(width - 1))));
  for (const step of steps) {
    const column = agents.indexOf(step.agent);
    const said = [...step.functions, ...step.changes.map((change) => `  ${change}`)];
    for (const text of said.length === 0 ? ['…'] : said) {
      for (const part of wrap(text, width - 1))
        lines.push(row(agents.map((_, i) => (i === column ? part : ''))));
    }
  }
  if (story.outcome !== undefined) lines.push('', `outcome: ${story.outcome}`);
  lines.push('', `replay: ${story.replay}`);
  return lines.join('\n');
}

function wrap(text: string, width: number): string[] {
  const parts: string[] = [];
  for (let rest = text; rest !== ''; rest = rest.slice(width)) parts.push(rest.slice(0, width));
  return parts;
}
