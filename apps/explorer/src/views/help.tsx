import { useRef } from 'preact/hooks';

const KEYS: readonly (readonly [keys: string, action: string])[] = [
  ['Ctrl Enter', 'run the program, explore the litmus test (in the editor; Escape, then Tab, leaves it)'],
  ['← →', 'map: move the cursor; lanes: go from event to event; steps: previous, next'],
  ['↑ ↓', 'map: another page; counterexample: another step'],
  ['a d', 'map and lanes: move the cursor'],
  ['+ − (w s)', 'map and lanes: zoom about the cursor; Ctrl and the wheel do the same under the pointer'],
  ['Page Up, Page Down', 'map and lanes: move the view; so do Shift and the wheel'],
  ['Home, End', 'the begin and the end'],
  ['Enter', 'map: why is this page where it is; a bar of the lanes is asked by selecting it'],
  ['c', 'steps: continue to the next breakpoint'],
  ['Escape', 'close the chain of causes'],
];

const WORDS: readonly (readonly [word: string, meaning: string, source: string])[] = [
  ['fault', 'the GPU found no entry for an address in its page table, and waits', ''],
  ['batch', 'the fault records that the driver serves together', ''],
  ['replay', 'the driver tells the GPU to do the waiting accesses again', ''],
  ['hmm_range_fault', 'has the CPU’s entries of a range filled in, and hands them out', 'mm/hmm.c'],
  ['interval notifier', 'tells a driver before the CPU’s entries of a range change', 'mm/mmu_notifier.c'],
  [
    'sequence',
    'odd while entries are being changed; a driver that read an old number must begin again: a retry',
    'mm/mmu_notifier.c',
  ],
  [
    'migrate_vma',
    'moves pages between system and device memory: setup, copy, pages, finalize',
    'mm/migrate_device.c',
  ],
  ['device-private page', 'its data is in device memory, which the CPU cannot address', 'mm/memremap.c'],
  ['exclusive entry', 'gives a page to one device alone, for its atomics', 'mm/rmap.c'],
  ['folio', 'pages that the kernel counts as one: references and mappings', 'mm/'],
];

/** The keys, and what the words mean. */
export function Help(): preact.JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  return (
    <>
      <button type="button" class="quiet" onClick={() => dialog.current?.showModal()}>
        Help
      </button>
      <dialog ref={dialog} aria-label="Help">
        <form method="dialog">
          <header>
            <h2>Keys</h2>
            <button type="submit">Close</button>
          </header>
          <dl class="help">
            {KEYS.map(([keys, action]) => (
              <div key={keys}>
                <dt>
                  <kbd>{keys}</kbd>
                </dt>
                <dd>{action}</dd>
              </div>
            ))}
          </dl>
          <h2>Words</h2>
          <dl class="help">
            {WORDS.map(([word, meaning, source]) => (
              <div key={word}>
                <dt>{word}</dt>
                <dd>
                  {meaning} {source !== '' && <span class="soft">({source})</span>}
                </dd>
              </div>
            ))}
          </dl>
        </form>
      </dialog>
    </>
  );
}
