import type { IToken } from 'chevrotain';
import type { Span } from '@hmm/operations/internal';
import type { DeviceDecl, FinalCondition, ProgramFile, Setting, Statement, ThreadDecl } from './ast.js';
import { StatementParser } from './statement-parser.js';
import * as T from './tokens.js';
import { kw } from './tokens.js';

/** Something that the grammar cannot say: a row of a table with too many cells. */
export interface TableError {
  readonly span: Span;
  readonly message: string;
}

type Head = Pick<ThreadDecl, 'name' | 'process' | 'span'>;

/** What follows the first agent's name in a table. */
const TABLE_HEAD = [T.Pipe, T.Semicolon, kw('in')];

/** The grammar of a file. */
export class ProgramParser extends StatementParser {
  /** Tables whose rows do not fit their head. Emptied by who starts the parser. */
  readonly tableErrors: TableError[] = [];

  constructor() {
    super();
    this.performSelfAnalysis();
  }

  /** A whole file. */
  readonly programFile = this.RULE('programFile', (): ProgramFile => {
    let kind: 'program' | 'litmus' = 'program';
    let name = '';
    let doc = '';
    this.OPTION(() => {
      kind = this.OR<'program' | 'litmus'>([
        { ALT: () => (this.CONSUME(kw('program')), 'program') },
        { ALT: () => (this.CONSUME(kw('litmus')), 'litmus') },
      ]);
      name = this.SUBRULE(this.plain);
      this.OPTION1(() => (doc = unquote(this.CONSUME(T.StringToken))));
    });
    const settings: Setting[] = [];
    const devices: DeviceDecl[] = [];
    this.MANY(() =>
      this.OR1([
        { ALT: () => settings.push(this.SUBRULE(this.setting)) },
        { ALT: () => devices.push(this.SUBRULE(this.device)) },
      ]),
    );
    const body: Statement[] = [];
    this.MANY1(() => body.push(this.SUBRULE(this.statement)));
    let threads: ThreadDecl[] = [];
    this.OPTION2({
      GATE: () => TABLE_HEAD.includes(this.LA(2).tokenType),
      DEF: () => (threads = this.SUBRULE(this.table)),
    });
    let final: Statement[] = [];
    this.OPTION3(() => {
      this.CONSUME(kw('final'));
      final = this.SUBRULE(this.block);
    });
    let condition: FinalCondition | undefined;
    this.OPTION4(() => (condition = this.SUBRULE(this.finalCondition)));
    return { kind, name, doc, settings, devices, body, threads, final, condition };
  });

  private readonly plain = this.RULE('plain', (): string =>
    this.OR({
      ERR_MSG: 'a name (quote it if it has spaces)',
      DEF: [
        { ALT: () => unquote(this.CONSUME(T.StringToken)) },
        { ALT: () => this.CONSUME(T.Hyphenated).image },
        { ALT: () => this.CONSUME(T.Identifier).image },
      ],
    }),
  );

  private readonly setting = this.RULE('setting', (): Setting => {
    const first = this.CONSUME(kw('set'));
    const key = this.OR([
      { ALT: () => this.nameOf(this.CONSUME(T.Identifier)) },
      { ALT: () => this.nameOf(this.CONSUME(T.Hyphenated)) },
      { ALT: () => this.nameOf(this.CONSUME(kw('gpu'))) },
      { ALT: () => this.nameOf(this.CONSUME(kw('vram'))) },
    ]);
    this.CONSUME(T.Assign);
    const value = this.OR1([
      { ALT: () => this.SUBRULE(this.plain) },
      { ALT: () => this.CONSUME(T.NumberToken).image },
    ]);
    return { key, value, span: this.from(first) };
  });

  private readonly device = this.RULE('device', (): DeviceDecl => {
    const first = this.CONSUME(kw('device'));
    const name = this.SUBRULE(this.name);
    let client: string | undefined;
    this.OPTION(() => (client = this.SUBRULE(this.plain)));
    return { name, client, span: this.from(first) };
  });

  /** `T0 | T1 ;` and one row a step. */
  private readonly table = this.RULE('table', (): ThreadDecl[] => {
    const heads: Head[] = [];
    const bodies: Statement[][] = [];
    this.AT_LEAST_ONE_SEP({
      SEP: T.Pipe,
      DEF: () => {
        heads.push(this.SUBRULE(this.threadHead));
        bodies.push([]);
      },
    });
    this.CONSUME(T.Semicolon);
    this.MANY(() => {
      this.SUBRULE(this.row, { ARGS: [bodies] });
    });
    return this.ACTION(() => heads.map((head, at) => ({ ...head, body: bodies[at] ?? [] })));
  });

  private readonly row = this.RULE('row', (bodies: Statement[][]): void => {
    let column = 0;
    this.OPTION(() => {
      this.cell(bodies, column, this.SUBRULE(this.statement));
    });
    this.MANY(() => {
      column++;
      this.CONSUME(T.Pipe);
      this.OPTION1(() => {
        this.cell(bodies, column, this.SUBRULE1(this.statement));
      });
    });
    this.CONSUME(T.Semicolon);
  });

  private readonly finalCondition = this.RULE('finalCondition', (): FinalCondition => {
    const first = this.LA(1);
    const quantifier = this.OR<FinalCondition['quantifier']>([
      { ALT: () => (this.CONSUME(kw('exists')), 'exists') },
      { ALT: () => (this.CONSUME(kw('forall')), 'forall') },
      { ALT: () => (this.CONSUME(kw('never')), 'never') },
    ]);
    return { quantifier, condition: this.SUBRULE(this.condition), span: this.from(first) };
  });

  private cell(bodies: Statement[][], column: number, statement: Statement): void {
    this.ACTION(() => {
      const body = bodies[column];
      if (body !== undefined) body.push(statement);
      else {
        const message = `this is column ${column + 1}, but the table has ${bodies.length} agents`;
        this.tableErrors.push({ span: statement.span, message });
      }
    });
  }
}

function unquote(token: IToken): string {
  return token.image.slice(1, -1).replace(/\\(.)/g, '$1');
}
