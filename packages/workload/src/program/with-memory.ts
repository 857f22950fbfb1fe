import type { ProgramFile, Statement } from './ast.js';

/** A program with its private memory allocated another way; the same program where nothing changes. */
export function withMemory(
  program: ProgramFile,
  from: 'malloc' | 'managed',
  to: 'malloc' | 'managed',
): ProgramFile {
  const swap = (s: Statement): Statement => {
    if (s.kind === 'alloc' && s.memory === from) return { ...s, memory: to };
    if (s.kind === 'together') {
      return { ...s, threads: s.threads.map((thread) => ({ ...thread, body: thread.body.map(swap) })) };
    }
    return 'body' in s ? { ...s, body: s.body.map(swap) } : s;
  };
  return { ...program, body: program.body.map(swap), final: program.final.map(swap) };
}

/** Whether a program allocates memory of a kind anywhere in its body. */
export function allocates(program: ProgramFile, memory: 'malloc' | 'managed'): boolean {
  return withMemory(program, memory, memory === 'malloc' ? 'managed' : 'malloc').body.some(
    (statement, at) =>
      statement !== program.body[at] && JSON.stringify(statement) !== JSON.stringify(program.body[at]),
  );
}
