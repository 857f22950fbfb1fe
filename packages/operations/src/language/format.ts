import { type Expr, PRECEDENCE, type Range } from './tree.js';

/** `a`, `a[3]`, `a[2..6]`. */
export function formatRange({ region, from, to }: Range): string {
  if (from === undefined) return region.text;
  const end = to === undefined ? '' : `..${formatExpr(to, 5)}`;
  return `${region.text}[${formatExpr(from, 5)}${end}]`;
}

/** An expression, in parentheses if it binds looser than `level`. */
export function formatExpr(expr: Expr, level = 0): string {
  switch (expr.kind) {
    case 'number':
      return `${expr.value}${expr.unit}`;
    case 'ref': {
      const agent = expr.agent === undefined ? '' : `${expr.agent.text}:`;
      return `${agent}${expr.name.text}${index(expr.index)}`;
    }
    case 'query':
      return `${expr.query}(${expr.name.text}${index(expr.index)})`;
    case 'list':
      return `[${expr.items.map((item) => (item === undefined ? '_' : formatSum(item))).join(', ')}]`;
    case 'unary':
      return `${expr.op}${formatExpr(expr.operand, 7)}`;
    case 'binary': {
      const own = PRECEDENCE[expr.op];
      // Comparisons do not chain: both their sides are sums.
      const left = formatExpr(expr.left, own === 4 ? 5 : own);
      const text = `${left} ${expr.op} ${formatExpr(expr.right, own + 1)}`;
      return own < level ? `(${text})` : text;
    }
  }
}

/** An expression where a sum may stand. */
export function formatSum(expr: Expr): string {
  return formatExpr(expr, 5);
}

/** An expression where only a number, a name or something in parentheses fits. */
export function formatPrimary(expr: Expr): string {
  return expr.kind === 'unary' ? `(${formatExpr(expr)})` : formatExpr(expr, 7);
}

function index(expr: Expr | undefined): string {
  return expr === undefined ? '' : `[${formatSum(expr)}]`;
}
