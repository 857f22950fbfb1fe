/** The five steps from a device's fault to the value, as titles. */
export const FIVE_STEPS: readonly string[] = [
  '1. The device faults: its page tables know nothing of that memory',
  '2. The driver gets the interrupt, and asks HMM about the address',
  '3. The page: moved to the device, or mapped where it is',
  '4. The driver replays the fault',
  '5. The program goes on, with the right value',
];
