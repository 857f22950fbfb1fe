import { useRef } from 'preact/hooks';
import type { Engine } from '../engine/engine.js';
import { openFile } from '../state/open-file.js';

/** Opens a local program, litmus test or recorded trace, for users who do not drop files. Nothing is uploaded. */
export function OpenButton({ engine }: { readonly engine: Engine }): preact.JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button
        type="button"
        class="quiet"
        title="A program (.hmm), a litmus test (.litmus) or a recorded trace; it stays in this browser. Files can be dropped on the page, too."
        onClick={() => input.current?.click()}
      >
        Open file …
      </button>
      <input
        ref={input}
        type="file"
        hidden
        aria-label="File to open"
        onChange={(event) => {
          const [file] = event.currentTarget.files ?? [];
          if (file !== undefined) void openFile(engine, file.name, file);
          event.currentTarget.value = '';
        }}
      />
    </>
  );
}
