export { default } from '@hmm/config/vitest';
