import type { FaultInjector, Kernel } from '@hmm/kernel';
import { operation } from '../definition.js';
import { DONE, type Outcome } from '../outcome.js';
import { counted } from '../parts/values.js';
import { siteName } from '../parts/words.js';

/** Fails one step of one kind: the one that comes as number `at`, from 1. */
class OneFailure implements FaultInjector {
  private readonly site: string;
  private readonly at: number;
  private come = 0;
  /** Whether the step has come, and failed. */
  failed = 0;

  constructor(site: string, at: number) {
    this.site = site;
    this.at = at;
  }

  /** @inheritdoc */
  shouldFail(site: string): boolean {
    if (site !== this.site || ++this.come !== this.at) return false;
    this.failed++;
    return true;
  }
}

/** `inject alloc_page at 3`: the third allocation of a page from here on fails. One injection is in force at a time. */
export const inject = operation({
  kind: 'inject',
  summary: 'Makes one fallible step fail: of the steps of a kind, the one with this number, from 1.',
  parts: [siteName, counted('at')],
  results: false,
  side: 'cpu',
  injects: true,
  refuse: ({ at }) => (at >= 1 && Number.isInteger(at) ? undefined : `steps are counted from 1, not ${at}`),
  *run({ process }, { site, at }) {
    process.mm.kernel.injector = new OneFailure(site, at);
    return DONE;
  },
  returns: 'errno',
  recorded: [],
});

/** `inject_end -> n`: nothing is made to fail any more; `n` is how many steps were since `inject`: 1, or 0 where none came to it. */
export const injectEnd = operation({
  kind: 'inject_end',
  summary: 'Ends an injection, and says how many steps it has made fail.',
  parts: [],
  results: true,
  side: 'cpu',
  injects: true,
  *run({ process }) {
    const { kernel } = process.mm;
    const outcome = failedSteps(kernel);
    kernel.injector = undefined;
    return outcome;
  },
  returns: 'values',
  recorded: [],
});

function failedSteps({ injector }: Kernel): Outcome {
  return { ...DONE, values: [injector instanceof OneFailure ? injector.failed : 0] };
}

/** The operations of this file. */
export const INJECTIONS = [inject, injectEnd] as const;
