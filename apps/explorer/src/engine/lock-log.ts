import type { Agent, Sched } from '@hmm/kernel';

/** A stretch of time in which an agent held a lock. */
export interface LockHold {
  /** ns. */
  readonly from: number;
  readonly to: number;
  readonly agent: number;
  /** The lock's class, as lock-order checking names it. */
  readonly lock: string;
}

/** More holds than that are not listed. */
const MAX_HOLDS = 200_000;

/** Notes who held which lock for how long. Holds that took no virtual time are left out: they could delay nobody. */
export class LockLog {
  readonly holds: LockHold[] = [];
  private readonly sched: Sched;
  private readonly open = new Map<number, number[]>();

  constructor(sched: Sched) {
    this.sched = sched;
    sched.lockdep.enabled = true;
    sched.lockdep.listener = (agent, cls, taken) => {
      if (taken) this.take(agent, cls);
      else this.drop(agent, cls);
    };
  }

  private take(agent: Agent, cls: number): void {
    const key = agent.id * 64 + cls;
    const times = this.open.get(key);
    if (times === undefined) this.open.set(key, [this.sched.now]);
    else times.push(this.sched.now);
  }

  private drop(agent: Agent, cls: number): void {
    const from = this.open.get(agent.id * 64 + cls)?.pop();
    const to = this.sched.now;
    if (from === undefined || from === to || this.holds.length >= MAX_HOLDS) return;
    this.holds.push({ from, to, agent: agent.id, lock: this.sched.lockdep.className(cls) });
  }
}
