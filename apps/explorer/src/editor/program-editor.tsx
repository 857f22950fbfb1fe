import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { lintGutter, setDiagnostics } from '@codemirror/lint';
import { EditorState, StateEffect, StateField } from '@codemirror/state';
import { Decoration, EditorView, keymap, lineNumbers } from '@codemirror/view';
import { useEffect, useRef } from 'preact/hooks';
import { programHighlight } from './highlight.js';

/** An error at a place of the program, 1-based. */
export interface EditorProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

const setLines = StateEffect.define<ReadonlyMap<number, string>>();

/** Marks lines, with what is at them written behind. */
const markedLines = StateField.define({
  create: () => Decoration.none,
  update: (marks, { effects, state }) => {
    let now = marks;
    for (const effect of effects) {
      if (!effect.is(setLines)) continue;
      const lines = [...effect.value].filter(([line]) => line >= 1 && line <= state.doc.lines);
      now = Decoration.set(
        lines
          .sort(([a], [b]) => a - b)
          .map(([line, text]) =>
            Decoration.line({ class: 'cm-at-line', attributes: { 'data-at': text } }).range(
              state.doc.line(line).from,
            ),
          ),
      );
    }
    return now;
  },
  provide: (field) => EditorView.decorations.from(field),
});

interface EditorProps {
  /** Its name for screen readers. */
  readonly label: string;
  readonly text: string;
  readonly problems: readonly EditorProblem[];
  /** Lines to mark, with what is at them. */
  readonly lines?: ReadonlyMap<number, string>;
  readonly onChange: (text: string) => void;
  readonly onRun: () => void;
}

/** What a new editor starts with; what it reports goes to the latest properties. */
function editorState(latest: { readonly current: EditorProps }): EditorState {
  return EditorState.create({
    doc: latest.current.text,
    extensions: [
      lineNumbers(),
      history(),
      lintGutter(),
      keymap.of([
        { key: 'Mod-Enter', run: () => (latest.current.onRun(), true) },
        ...defaultKeymap,
        ...historyKeymap,
      ]),
      programHighlight,
      markedLines,
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ 'aria-label': latest.current.label, tabindex: '0' }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) latest.current.onChange(update.state.doc.toString());
      }),
    ],
  });
}

/** The program's editor. `onRun` is Ctrl+Enter; Escape then Tab leaves it by keyboard. */
export function ProgramEditor(props: EditorProps): preact.JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const latest = useRef(props);
  latest.current = props;

  useEffect(() => {
    if (host.current === null) return;
    const editor = new EditorView({ parent: host.current, state: editorState(latest) });
    view.current = editor;
    return () => {
      editor.destroy();
    };
  }, []);

  useEffect(() => {
    const editor = view.current;
    if (editor === null || editor.state.doc.toString() === props.text) return;
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: props.text } });
  }, [props.text]);

  useEffect(() => {
    const editor = view.current;
    if (editor === null) return;
    const { doc } = editor.state;
    const diagnostics = props.problems.map(({ line, column, message }) => {
      const at = doc.line(Math.min(Math.max(line, 1), doc.lines));
      const from = Math.min(at.from + Math.max(column - 1, 0), at.to);
      return { from, to: at.to, severity: 'error' as const, message };
    });
    editor.dispatch(setDiagnostics(editor.state, diagnostics));
  }, [props.problems]);

  useEffect(() => {
    view.current?.dispatch({ effects: setLines.of(props.lines ?? new Map<number, string>()) });
  }, [props.lines, props.text]);

  return <div class="editor" ref={host} />;
}
