import type { AccessStatement, MemoryKind, Statement } from '@hmm/workload';
import type { MappingKind, Operation } from '../world/operation.js';
import type { Compiler } from './compile.js';
import { LitmusProblem } from './litmus-problem.js';
import type { Instruction } from './program.js';

const MEMORY: Readonly<Partial<Record<MemoryKind, MappingKind>>> = {
  malloc: 'anon',
  shared: 'shared',
  memfd: 'memfd',
  memfd_private: 'memfdp',
};

/** The operation that a statement asks for. @throws LitmusProblem for what a litmus test cannot say. */
export function operationOf(s: Statement, compiler: Compiler): Instruction {
  const into = 'into' in s ? s.into?.text : undefined;
  const rc = 'rc' in s ? s.rc?.text : undefined;
  return { kind: 'operation', operation: operation(s, compiler), into, rc };
}

function operation(s: Statement, compiler: Compiler): Operation {
  switch (s.kind) {
    case 'access':
      return accessOperation(s, compiler);
    case 'alloc': {
      const kind = MEMORY[s.memory];
      if (kind === undefined) throw new LitmusProblem(s.span, `a litmus test has no ${s.memory} memory`);
      return {
        name: 'mmap',
        range: compiler.allocate(s.name, compiler.number(s.size)),
        prot: s.protection,
        kind,
      };
    }
    case 'syscall':
      return syscallOperation(s, compiler);
    case 'mremap': {
      const range = compiler.range(s.range);
      return { name: 'mremap', range, to: compiler.target(s.to, range.pages) };
    }
    case 'open':
      return { name: 'dopen', device: compiler.device(s.device, s.span) };
    case 'close':
      return { name: 'dclose', device: compiler.device(s.device, s.span) };
    case 'device-call': {
      const value = s.value === undefined ? 0 : compiler.number(s.value);
      const device = compiler.device(s.device, s.span);
      return { name: 'device', call: s.call, device, range: compiler.range(s.range), value };
    }
    default:
      throw new LitmusProblem(s.span, `a litmus test has no '${s.kind}'`);
  }
}

function syscallOperation(s: Extract<Statement, { kind: 'syscall' }>, compiler: Compiler): Operation {
  const range = compiler.range(s.range);
  const { call, word, span } = s;
  switch (call) {
    case 'mprotect':
      switch (word) {
        case 'none':
        case 'r':
        case 'w':
        case 'rw':
        case 'rx':
        case 'rwx':
          return { name: 'mprotect', range, prot: word };
        default:
      }
      break;
    case 'madvise':
      switch (word) {
        case 'dontneed':
        case 'free':
        case 'pageout':
        case 'hugepage':
        case 'nohugepage':
        case 'cold':
        case 'collapse':
          return { name: 'madvise', range, advice: word };
        default:
      }
      break;
    case 'pin':
      return { name: 'pin', range, write: word === 'write', keep: true };
    case 'unpin':
      return { name: 'unpin' };
    case 'munmap':
    case 'mlock':
    case 'munlock':
      return { name: call, range };
  }
  throw new LitmusProblem(span, 'a litmus test has no such call');
}

function accessOperation(s: AccessStatement, compiler: Compiler): Operation {
  if (s.order.kind !== 'seq') throw new LitmusProblem(s.span, 'accesses of a litmus test go in order');
  if (s.byte !== undefined || s.width !== undefined) {
    throw new LitmusProblem(s.span, 'accesses of a litmus test are to byte 0 of each page');
  }
  const range = compiler.range(s.range);
  const value = s.value === undefined ? 0 : compiler.number(s.value);
  const step = s.step === undefined ? 0 : compiler.number(s.step);
  if (s.agent === 'cpu') {
    if (s.access === 'read') return { name: 'cr', range };
    if (s.access === 'write') return { name: 'cw', range, value, step };
    throw new LitmusProblem(s.span, 'CPU atomics are not part of litmus tests');
  }
  const device = compiler.device(s.device, s.span);
  if (s.access === 'read') return { name: 'device', call: 'dread', device, range, value: 0 };
  if (s.access === 'atomic') throw new LitmusProblem(s.span, "atomic access is had with 'excl'");
  if (range.pages > 1 && step !== 1) {
    throw new LitmusProblem(s.span, "a device writes value + i to page i: say 'step 1'");
  }
  return { name: 'device', call: 'dwrite', device, range, value };
}
