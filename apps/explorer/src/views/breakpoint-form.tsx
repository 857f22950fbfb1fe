import { useState } from 'preact/hooks';
import type { Breakpoint, BreakpointKind } from './breakpoints.js';

const KINDS: readonly { readonly kind: BreakpointKind; readonly label: string; readonly hint: string }[] = [
  { kind: 'function', label: 'function', hint: 'range_fault' },
  { kind: 'event', label: 'event', hint: 'replay' },
  { kind: 'page', label: 'change of page', hint: 'a[0]' },
  { kind: 'invariant', label: 'broken invariant', hint: '' },
];

/** Where a run stops when it is continued, and a form to add more places. */
export function BreakpointForm(props: {
  readonly points: readonly Breakpoint[];
  readonly client: string;
  readonly onChange: (points: readonly Breakpoint[]) => void;
}): preact.JSX.Element {
  const { points, client, onChange } = props;
  const [kind, setKind] = useState<BreakpointKind>('function');
  const [text, setText] = useState('');
  const known = KINDS.find((one) => one.kind === kind);
  return (
    <form
      class="breakpoints"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim() !== '' || kind === 'invariant') onChange([...points, { kind, text: text.trim() }]);
        setText('');
      }}
    >
      <span class="soft">Stops at</span>
      {points.length === 0 && <span>the five steps, or</span>}
      {points.map((point, i) => (
        <button
          key={`${point.kind} ${point.text}`}
          type="button"
          class="chip"
          aria-label={`Remove the breakpoint on ${point.kind} ${point.text}`}
          onClick={() => {
            onChange(points.filter((_, other) => other !== i));
          }}
        >
          {point.kind} {point.text} ×
        </button>
      ))}
      <select
        aria-label={`Kind of breakpoint, ${client}`}
        value={kind}
        onChange={(event) => {
          setKind(KINDS.find((one) => one.kind === event.currentTarget.value)?.kind ?? 'function');
        }}
      >
        {KINDS.map((one) => (
          <option key={one.kind} value={one.kind}>
            {one.label}
          </option>
        ))}
      </select>
      {kind !== 'invariant' && (
        <input
          aria-label={`Name for the breakpoint, ${client}`}
          value={text}
          placeholder={known?.hint ?? ''}
          onInput={(event) => {
            setText(event.currentTarget.value);
          }}
        />
      )}
      <button type="submit">Add</button>
    </form>
  );
}
