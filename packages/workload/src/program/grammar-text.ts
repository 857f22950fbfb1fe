import type { ISerializedGast } from 'chevrotain';
import { ProgramParser } from './program-parser.js';

/** One rule of the grammar in EBNF: words and signs in quotes, `[ ]` what may be left out, `{ }` what may be repeated. */
export interface GrammarRule {
  readonly name: string;
  readonly text: string;
}

/** The rules that the parser reads by, in its own order. An operation's rule is called `operation_KIND`. */
export function grammarRules(): GrammarRule[] {
  return new ProgramParser().getSerializedGastProductions().map((rule) => ({
    name: 'name' in rule && typeof rule.name === 'string' ? rule.name : '',
    text: sequence(partsOf(rule)),
  }));
}

function partsOf(part: ISerializedGast): readonly ISerializedGast[] {
  return 'definition' in part && Array.isArray(part.definition) ? part.definition : [];
}

function sequence(parts: readonly ISerializedGast[]): string {
  return parts
    .map(textOf)
    .filter((text) => text !== '')
    .join(' ');
}

function textOf(part: ISerializedGast): string {
  const inside = sequence(partsOf(part));
  switch (part.type) {
    case 'NonTerminal':
      return 'name' in part && typeof part.name === 'string' ? part.name : '';
    case 'Terminal':
      return terminal(part);
    case 'Option':
      return `[ ${inside} ]`;
    case 'Repetition':
      return `{ ${inside} }`;
    case 'RepetitionMandatory':
      return `${inside} { ${inside} }`;
    case 'RepetitionMandatoryWithSeparator':
    case 'RepetitionWithSeparator':
      return `${inside} { ${'separator' in part ? terminal(part.separator as ISerializedGast) : ''} ${inside} }`;
    case 'Alternation':
      return alternation(partsOf(part).map((alternative) => sequence(partsOf(alternative))));
    default:
      return inside;
  }
}

function alternation(alternatives: readonly string[]): string {
  return alternatives.length === 1 ? (alternatives[0] ?? '') : `( ${alternatives.join(' | ')} )`;
}

/** A word in quotes; a kind of token by its name. */
function terminal(part: ISerializedGast): string {
  const name = 'name' in part && typeof part.name === 'string' ? part.name : '';
  if (name.startsWith('word ')) return `'${name.slice('word '.length)}'`;
  return name.startsWith('token ')
    ? name.slice('token '.length).toUpperCase()
    : name.startsWith("'")
      ? name
      : name.toUpperCase();
}
