import { vpnToHex } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { NouveauSvmFault } from './nouveau-svm-fault-record.js';
import type { PfnmapArgs } from './nouveau-range-fault.js';

/** A rule that was broken, and how. */
export interface BrokenRule {
  readonly invariant: string;
  readonly detail: string;
}

/**
 * What a work item has to keep to, whatever the program sees of it: faults are served by ascending address, none is taken for
 * handled by what was mapped elsewhere, and none is cancelled for another page's failure. Looked at where interleavings are explored.
 */
export class NouveauSvmRules {
  /** What of it is state. */
  static readonly state = declareState({
    order: { saved: 'asked for when all is over' },
    passing: { saved: 'asked for when all is over' },
    cancelling: { saved: 'asked for when all is over' },
  });

  private order = '';
  private passing = '';
  private cancelling = '';

  /** The first `count` of `faults` are served in this order. */
  sorted(faults: readonly NouveauSvmFault[], count: number): void {
    for (let i = 1; i < count; i++) {
      const [before, fault] = [faults[i - 1], faults[i]];
      if (before === undefined || fault === undefined || before.inst !== fault.inst) continue;
      if (before.vpn > fault.vpn)
        this.order ||= `the fault at ${vpnToHex(before.vpn)} is served before the one at ${vpnToHex(fault.vpn)}`;
    }
  }

  /** `fault` is taken as handled by what `args` have mapped. */
  passedOver({ vpn }: NouveauSvmFault, args: PfnmapArgs): void {
    if (vpn >= args.vpn && vpn < args.vpn + args.pages) return;
    this.passing ||= `the fault at ${vpnToHex(vpn)} is passed over as handled by a mapping at ${vpnToHex(args.vpn)}`;
  }

  /** `fault` is cancelled since `cause` failed. */
  cancelledFor({ vpn }: NouveauSvmFault, cause: NouveauSvmFault): void {
    if (vpn === cause.vpn) return;
    this.cancelling ||= `the fault at ${vpnToHex(vpn)} is cancelled since the one at ${vpnToHex(cause.vpn)} failed`;
  }

  /** The worst that was broken so far. */
  broken(): BrokenRule | undefined {
    if (this.cancelling !== '') return { invariant: 'faultCancelled', detail: this.cancelling };
    if (this.passing !== '') return { invariant: 'faultPassedOver', detail: this.passing };
    return this.order === '' ? undefined : { invariant: 'faultOrder', detail: this.order };
  }
}
