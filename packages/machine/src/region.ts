import { alignUp, HPAGE_PMD_NR, HPAGE_PMD_ORDER } from '@hmm/kernel';

/** Where the first region lies: 0x100000000000, in pages. */
const FIRST_VPN = 2 ** 32;

/**
 * Chooses addresses: every region begins on a 2 MiB boundary and is followed by at least one unmapped 2 MiB, so that
 * nothing of one region (a huge page, a driver's 2 MiB block) reaches into another.
 */
export class AddressLayout {
  private nextVpn = FIRST_VPN;

  /** Takes room for `pages` pages; returns the first. */
  take(pages: number): number {
    const vpn = this.nextVpn;
    this.nextVpn = alignUp(vpn + pages, HPAGE_PMD_ORDER) + HPAGE_PMD_NR;
    return vpn;
  }
}
