import type { ClientFactory, DriverRules, DriverSteps } from '@hmm/device';
import {
  EVENT_BATCH,
  EVENT_DEVICE_FAULT,
  EVENT_MAPPED,
  EVENT_MAPPED_REMOTE,
  EVENT_REPLAY,
  EVENT_TO_DEVICE,
  EVENT_TO_HOST,
  type EventMeaning,
} from '@hmm/kernel/internal';
import type { StatementView } from './run-view.js';
import type { FiveStep } from './step-view.js';

const FAULT: readonly EventMeaning[] = [EVENT_DEVICE_FAULT, EVENT_BATCH];
const RESOLVE: readonly EventMeaning[] = [EVENT_TO_DEVICE, EVENT_TO_HOST, EVENT_MAPPED_REMOTE, EVENT_MAPPED];
/** The kernel's own functions that move pages or give them to a device. */
const MIGRATE_FUNCTION = /^migrate_(?:vma|device)/;

/** An event of a step: what it means, and its text. */
export interface StepEvent {
  readonly meaning: EventMeaning;
  readonly text: string;
}

/**
 * Which of the five steps a run is in, from what the driver does and not from a script: a GPU access begins the first, a
 * fault record that the driver reads the second, a mapping or a migration the third, a replay the fourth, and the fifth
 * lasts until the access is done.
 */
export class FiveSteps {
  private readonly rules: DriverRules;
  private readonly steps: DriverSteps;
  private step: FiveStep = 0;
  private access: StatementView | undefined;

  constructor({ rules, steps }: Pick<ClientFactory, 'rules' | 'steps'>) {
    this.rules = rules;
    this.steps = steps;
  }

  /** Takes in one step of the run. The narration is not empty where one of the five begins. */
  next(
    statement: StatementView | undefined,
    ended: readonly StatementView[],
    functions: readonly string[],
    events: readonly StepEvent[],
  ): { readonly step: FiveStep; readonly narration: string } {
    if (statement?.side !== 'gpu') {
      this.step = 0;
      this.access = undefined;
      return { step: 0, narration: '' };
    }
    const fresh = this.access?.from !== statement.from || this.access.line !== statement.line;
    this.access = statement;
    const done = ended.includes(statement);
    const step = done ? 5 : fresh ? 1 : this.after(functions, events);
    const begins = step !== this.step;
    this.step = step;
    if (done) return { step, narration: `“${statement.text}” is done${resultText(statement)}.` };
    return { step, narration: begins ? this.narration(step, statement, events) : '' };
  }

  private after(functions: readonly string[], events: readonly StepEvent[]): FiveStep {
    const saw = (meanings: readonly EventMeaning[]): boolean =>
      events.some(({ meaning }) => meanings.includes(meaning));
    if (saw([EVENT_REPLAY])) return 4;
    if (saw(RESOLVE) || functions.some((name) => this.resolves(name))) return 3;
    if (saw(FAULT) || functions.includes('hmm_range_fault')) return this.step === 3 ? 3 : 2;
    if (this.step === 4) return 5;
    return this.step === 0 ? 1 : this.step;
  }

  private resolves(name: string): boolean {
    return MIGRATE_FUNCTION.test(name) || this.steps.resolving.some((part) => name.includes(part));
  }

  private narration(step: FiveStep, { text }: StatementView, events: readonly StepEvent[]): string {
    const seen =
      events.length === 0
        ? ''
        : ` Seen: ${events
            .slice(0, 3)
            .map((event) => event.text)
            .join('; ')}.`;
    switch (step) {
      case 1:
        return `“${text}” begins; a GPU access without a device entry faults.`;
      case 2:
        return `The fault record is read. The rule: ${this.rules.granularity}${seen}`;
      case 3:
        return `The rule: this driver ${this.rules.gpuFault}${seen}`;
      case 4:
        return `The accesses that wait are done again.${seen}`;
      case 5:
        return `“${text}” goes on.`;
      default:
        return '';
    }
  }
}

function resultText({ result }: StatementView): string {
  return result === '' ? '' : `: ${result}`;
}
