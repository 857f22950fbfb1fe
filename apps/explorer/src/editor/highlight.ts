import { RangeSetBuilder } from '@codemirror/state';
import {
  Decoration,
  type DecorationSet,
  type EditorView,
  ViewPlugin,
  type ViewUpdate,
} from '@codemirror/view';
import { tokenize, type TokenClass } from '@hmm/workload';

const MARKS: Readonly<Record<TokenClass, Decoration>> = {
  keyword: Decoration.mark({ class: 'tok-keyword' }),
  name: Decoration.mark({ class: 'tok-name' }),
  number: Decoration.mark({ class: 'tok-number' }),
  string: Decoration.mark({ class: 'tok-string' }),
  operator: Decoration.mark({ class: 'tok-operator' }),
  comment: Decoration.mark({ class: 'tok-comment' }),
};

function decorate(view: EditorView): DecorationSet {
  const builder = new RangeSetBuilder<Decoration>();
  for (const token of tokenize(view.state.doc.toString())) {
    builder.add(token.offset, token.end, MARKS[token.class]);
  }
  return builder.finish();
}

/** Colours a program by the grammar's own lexer, so that editor and parser cannot disagree. */
export const programHighlight = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;
    constructor(view: EditorView) {
      this.decorations = decorate(view);
    }
    update(update: ViewUpdate): void {
      if (update.docChanged) this.decorations = decorate(update.view);
    }
  },
  { decorations: (plugin) => plugin.decorations },
);
