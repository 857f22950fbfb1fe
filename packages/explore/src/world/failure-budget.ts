import { type FaultInjector, type Kernel } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { Choices } from '../engine/model.js';

/**
 * Failure injection as decisions of the exploration: each fallible step may fail, as long as not more than a given number
 * have failed in the execution.
 */
export class FailureBudget implements FaultInjector {
  /** What of it is state. */
  static readonly state = declareState({
    kernel: { outside: 'the world has it' },
    budget: 'constant',
    site: 'constant',
    object: 'constant',
    left: { hashed: 'set for each execution' },
    choices: { outside: 'who decides is told for each execution' },
  });

  private readonly kernel: Kernel;
  private readonly budget: number;
  private readonly site: string | undefined;
  private readonly object: number;
  /** Steps that may still fail in this execution. */
  left = 0;
  private choices: Choices | undefined;

  /** @param site the only kind of step that fails; every kind without. */
  constructor(kernel: Kernel, budget: number, site: string | undefined) {
    this.kernel = kernel;
    this.budget = budget;
    this.site = site;
    this.object = kernel.allocIds(1);
  }

  /** An execution begins. */
  start(choices: Choices): void {
    this.left = this.budget;
    this.choices = choices;
    this.kernel.injector = this.budget > 0 ? this : undefined;
  }

  /** From here on nothing fails. */
  stop(): void {
    this.kernel.injector = undefined;
  }

  /** @inheritdoc */
  shouldFail(site: string): boolean {
    if (this.choices === undefined || (this.site !== undefined && this.site !== site)) return false;
    const fails = this.left > 0 && this.choices.choose(2) === 1;
    // Steps that don't fail commute; a failure takes the chance from those that come later.
    this.kernel.sched.access(this.object, fails);
    if (fails) this.left--;
    return fails;
  }
}
