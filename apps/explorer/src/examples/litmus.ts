import firstExample from '@hmm/explore/litmus/first-example.litmus?raw';
import faultVsMunmap from '@hmm/explore/litmus/fault-vs-munmap.litmus?raw';
import messagePassing from '@hmm/explore/litmus/message-passing.litmus?raw';
import todevVsCpuWrite from '@hmm/explore/litmus/todev-vs-cpu-write.litmus?raw';
import todevVsFork from '@hmm/explore/litmus/todev-vs-fork.litmus?raw';
import exclusiveVsCpuWrite from '@hmm/explore/litmus/exclusive-vs-cpu-write.litmus?raw';
import { type Example, RACE } from './programs.js';

/** The text with a device that lacks the two races which the kernel's own test device has. */
export function corrected(text: string): string {
  return text.replace(/^malloc/m, 'set corrected = 1\nmalloc');
}

/** Litmus tests of the menu. */
export const LITMUS_EXAMPLES: readonly Example[] = [
  { title: 'Protocol: the driver forgets to check the sequence', text: RACE },
  { title: 'Protocol: the check is done before taking the lock', text: 'protocol retry-unlocked\n' },
  { title: 'Protocol: the callback does not set the sequence', text: 'protocol no-set-seq\n' },
  { title: 'Protocol: as it should be', text: 'protocol none\n' },
  { title: 'First example, with the race of the recorded device', text: firstExample },
  { title: 'First example, on the corrected device', text: corrected(firstExample) },
  { title: 'A device fault against munmap', text: faultVsMunmap },
  { title: 'Message passing between CPU and device', text: messagePassing },
  { title: 'Migration against a CPU store', text: corrected(todevVsCpuWrite) },
  { title: 'Migration against fork', text: todevVsFork },
  { title: 'Exclusive access against a CPU store', text: exclusiveVsCpuWrite },
];
