import type { GpuPreset } from '@hmm/gpu';
import { PAGE_SIZE } from '@hmm/kernel';

/** What a copied page takes on the link of this machine beside the recorded one's, ns: less than nothing on a faster link. */
export interface UvmLinkPages {
  readonly toGpu: number;
  readonly toCpu: number;
}

/** The recorded machine's own link. */
export const RECORDED_LINK: UvmLinkPages = { toGpu: 0, toCpu: 0 };

/**
 * The fitted costs of a page that is copied hold the recorded machine's link: what `link` takes beside `recorded`, where the costs
 * are taken times `scale`.
 */
export function linkPages(link: GpuPreset['link'], recorded: GpuPreset['link'], scale: number): UvmLinkPages {
  const ns = (gbs: number): number => PAGE_SIZE / gbs;
  return {
    toGpu: ns(link.toDeviceGBs.value) - scale * ns(recorded.toDeviceGBs.value),
    toCpu: ns(link.toHostGBs.value) - scale * ns(recorded.toHostGBs.value),
  };
}
