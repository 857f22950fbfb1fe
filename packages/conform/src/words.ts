/** What each word of an operation after its name is: `n` a count, else one of the choices. */
export type WordGrammar = Readonly<Record<string, readonly (string | readonly string[])[]>>;

/** An operation's name, its words after that, and those of them that are counts as numbers. */
export interface OperationWords {
  readonly name: string;
  readonly words: readonly string[];
}

/**
 * Splits an operation as it stands in a recording, words separated by one space, and checks it against `grammar`.
 * @returns its words, or what is wrong with it, for people.
 */
export function parseWords(text: string, grammar: WordGrammar): OperationWords | string {
  const [name = '', ...words] = text.split(' ');
  const wanted = Object.hasOwn(grammar, name) ? grammar[name] : undefined;
  if (wanted === undefined) return `unknown operation "${name}"`;
  if (words.length !== wanted.length) return `"${name}" takes ${wanted.length} words, not ${words.length}`;
  for (const [i, want] of wanted.entries()) {
    const word = words[i] ?? '';
    if (typeof want !== 'string') {
      if (!want.includes(word)) return `"${word}" is none of ${want.join(', ')}`;
    } else if (!isCount(word)) return `"${word}" is not a number`;
  }
  return { name, words };
}

/** Whether a word consists of decimal digits. */
export function isCount(word: string): boolean {
  for (let i = 0; i < word.length; i++) {
    const code = word.charCodeAt(i);
    if (code < 48 || code > 57) return false;
  }
  return word.length > 0;
}
