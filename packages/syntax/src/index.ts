export { hmmGrammar, LANGUAGE_ID, type TextMateGrammar, type TextMateRule } from './grammar.js';
