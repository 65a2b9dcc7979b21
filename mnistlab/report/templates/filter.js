// Reads a filter as `mnistlab runs list --filter` does (store/filters.py): the same grammar, the
// same meaning and the same faults. Besides, some of what that refuses has a meaning here: plain
// words are searched, and of two things side by side both must hold.
//
//     filter      any ("or" any)*            any         each ("and"? each)*
//     each        "not" each | "(" filter ")" | comparison | word | quoted text
//     comparison  key sign value | key "in" "(" value ("," value)* ")" | key "contains" value

const MOST_LETTERS = 2000;
const DEEPEST = 50;

const PIECE = /\s*(?:(?<operator>==|!=|<=|>=|[=<>(),])|(?<text>'[^']*'|"[^"]*")|(?<word>[^\s=!<>(),'"\x00-\x1f\x7f]+)|(?<end>$))/y;
const KEY = /^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$/;
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;
const PERCENTAGE = /^([+-]?(\d+(\.\d*)?|\.\d+))%$/;
const CONSTANTS = new Map([["true", true], ["false", false], ["null", null]]);
const RESERVED = new Set(["and", "or", "not", "in", "contains", ...CONSTANTS.keys()]);
const EQUALITY = new Map([["=", true], ["==", true], ["!=", false]]);
const ORDER = new Map([
  ["<", (one, other) => one < other],
  ["<=", (one, other) => one <= other],
  [">", (one, other) => one > other],
  [">=", (one, other) => one >= other],
]);

class FilterError extends Error {}

// Returns the rows that a filter keeps, true or false each, and a warning if some are left out
// as they cannot be judged; a row is { facts: Map, text }, its text in small letters.
// Throws a FilterError that says what is wrong.
function applyFilter(text, rows, keys) {
  const parser = new FilterParser(text);
  const test = parser.whole();
  for (const [key, position] of parser.keys) checkKey(key, position, keys);
  const refused = [];
  const kept = rows.map((row) => {
    try {
      return test(row);
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      refused.push(error);
      return false;
    }
  });
  if (refused.length > 0 && !kept.includes(true)) throw refused[0];
  const count = refused.length === 1 ? "a run is" : `${refused.length} runs are`;
  return { kept, warning: refused.length > 0 ? `${count} left out: ${refused[0].message}` : "" };
}

function checkKey(key, position, keys) {
  if (keys.includes(key)) return;
  const [near, likeness] = keys
    .map((one) => [one, likenessOf(key, one)])
    .reduce((best, one) => (one[1] > best[1] ? one : best), ["", 0]);
  const hint = likeness >= 0.5 ? `did you mean ${near}?` : "the filter's help lists them all";
  throw new FilterError(`filter, position ${position}: no such key: ${key}; ${hint}`);
}

// Returns which share of two words' letters they have in common, in their order.
function likenessOf(one, other) {
  let last = new Array(other.length + 1).fill(0);
  for (const letter of one) {
    const next = [0];
    for (let at = 0; at < other.length; at++)
      next.push(letter === other[at] ? last[at] + 1 : Math.max(last[at + 1], next[at]));
    last = next;
  }
  return (2 * last[other.length]) / (one.length + other.length);
}

function readTokens(text) {
  const positionOf = (index) => [...text.slice(0, index)].length + 1;
  const tokens = [];
  PIECE.lastIndex = 0;
  while (tokens.at(-1)?.kind !== "end") {
    const place = PIECE.lastIndex;
    const match = PIECE.exec(text);
    if (match === null) {
      const at = place + text.slice(place).search(/\S/);
      const [character] = text.slice(at);
      const hint = character === "!" ? "; unequal is written !=" : "";
      const fault = `'"`.includes(character)
        ? `the quote ${character} is not closed`
        : `${JSON.stringify(character)} has no place here${hint}`;
      throw new FilterError(`filter, position ${positionOf(at)}: ${fault}`);
    }
    const [kind, found] = Object.entries(match.groups).find(([, group]) => group !== undefined);
    tokens.push({ kind, text: found, position: positionOf(PIECE.lastIndex - found.length) });
  }
  return tokens;
}

// Reads tokens from first to last, each rule of the grammar in a method of its own; each returns
// a test of a row.
class FilterParser {
  constructor(text) {
    if (text.length > MOST_LETTERS) throw new FilterError(`filter: is longer than ${MOST_LETTERS} letters`);
    this.keys = new Map();
    this.tokens = readTokens(text);
    this.next = 0;
    this.depth = 0;
  }

  whole() {
    const test = this.any();
    if (this.token.kind !== "end") this.fail("'and', 'or' or the end");
    return test;
  }

  any() {
    const tests = [this.all()];
    while (this.takes("or")) tests.push(this.all());
    return (row) => tests.some((test) => test(row));
  }

  all() {
    const tests = [this.each()];
    while (this.takes("and") || this.isAtStart()) tests.push(this.each());
    return (row) => tests.every((test) => test(row));
  }

  // Returns whether the next token starts something that must hold besides what stands before it.
  isAtStart() {
    const { kind, text } = this.token;
    if (kind === "word") return text === "not" || !RESERVED.has(text);
    return kind === "text" || (kind === "operator" && text === "(");
  }

  each() {
    this.depth += 1;
    if (this.depth > DEEPEST)
      throw new FilterError(`filter, position ${this.token.position}: nested deeper than ${DEEPEST} levels`);
    const test = this.one();
    this.depth -= 1;
    return test;
  }

  one() {
    if (this.takes("not")) {
      const inner = this.each();
      return (row) => !inner(row);
    }
    if (this.takes("(")) {
      const test = this.any();
      this.expect(")");
      return test;
    }
    return this.isComparison() ? this.comparison() : this.search();
  }

  isComparison() {
    const sign = this.tokens[this.next + 1];
    if (sign?.kind === "word") return sign.text === "in" || sign.text === "contains";
    return sign?.kind === "operator" && (EQUALITY.has(sign.text) || ORDER.has(sign.text));
  }

  search() {
    const { kind, text } = this.token;
    if (kind !== "text" && (kind !== "word" || RESERVED.has(text))) this.fail("a key, such as learning_rate, or a word");
    this.next += 1;
    const wanted = (kind === "text" ? text.slice(1, -1) : text).toLowerCase();
    return (row) => row.text.includes(wanted);
  }

  comparison() {
    const { kind, text: key, position } = this.token;
    if (kind !== "word" || RESERVED.has(key) || !KEY.test(key)) this.fail("a key, such as learning_rate");
    if (!this.keys.has(key)) this.keys.set(key, position);
    this.next += 1;
    const sign = this.token;
    this.next += 1;
    const where = { key, position: sign.position };
    if (sign.text === "in") return isOneOf(where, this.values());
    const value = this.value();
    if (sign.text === "contains") return containing(where, value);
    if (EQUALITY.has(sign.text)) return isEqual(where, value, EQUALITY.get(sign.text));
    if (value === null || typeof value === "boolean") refuse(where, "true, false and null have no order; use = or !=");
    return isOrdered(where, value, ORDER.get(sign.text));
  }

  values() {
    this.expect("(");
    const values = [this.value()];
    while (this.takes(",")) values.push(this.value());
    this.expect(")");
    return values;
  }

  value() {
    const { kind, text } = this.token;
    const isWord = kind === "word" && (CONSTANTS.has(text) || !RESERVED.has(text));
    if (kind !== "text" && !isWord) this.fail("a value: a number, a word, 'text', true, false or null");
    this.next += 1;
    if (kind === "text") return text.slice(1, -1);
    if (CONSTANTS.has(text)) return CONSTANTS.get(text);
    if (PERCENTAGE.test(text)) return Number(`${text.slice(0, -1)}e-2`); // rounded once, as 0.583 is
    return NUMBER.test(text) ? Number(text) : text;
  }

  get token() {
    return this.tokens[this.next];
  }

  // Steps over a word or a sign if it is the next; quoted it is neither.
  takes(text) {
    const { kind, text: found } = this.token;
    const taken = (kind === "word" || kind === "operator") && found === text;
    if (taken) this.next += 1;
    return taken;
  }

  expect(sign) {
    if (!this.takes(sign)) this.fail(`'${sign}'`);
  }

  fail(expected) {
    const { kind, text, position } = this.token;
    const here = kind === "end" ? "the end" : `'${text}'`;
    throw new FilterError(`filter, position ${position}: expected ${expected}, but here is ${here}`);
  }
}

// Each of these returns a test of a row by one of its facts; a row without it meets no comparison
// with a value, != included.

function isEqual({ key, position }, value, wanted) {
  return ({ facts }) => {
    const fact = facts.get(key);
    if (value === null) return (fact === undefined) === wanted;
    return fact !== undefined && isSame({ key, position }, fact, value) === wanted;
  };
}

function isOneOf(where, values) {
  return ({ facts }) => {
    const fact = facts.get(where.key);
    if (fact === undefined) return values.includes(null);
    return values.some((value) => value !== null && isSame(where, fact, value));
  };
}

function containing(where, value) {
  if (value === null) throw new FilterError(`filter, position ${where.position}: nothing contains null`);
  return ({ facts }) => {
    const fact = facts.get(where.key);
    if (Array.isArray(fact)) return fact.includes(value);
    if (fact === undefined) return false;
    if (typeof fact === "string") return fact.includes(String(value));
    return refuse(where, `${where.key} is ${kindOf(fact)}, which contains nothing; use =`);
  };
}

function isOrdered(where, value, compare) {
  return ({ facts }) => {
    const fact = facts.get(where.key);
    if (fact === undefined) return false;
    if (kindOf(fact) !== kindOf(value)) {
      const hint = typeof fact === "string" ? `; as text it is '${value}'` : "";
      refuse(where, `${where.key} is ${kindOf(fact)}, which has no order with ${kindOf(value)}${hint}`);
    }
    return compare(fact, value);
  };
}

function isSame(where, fact, value) {
  if (Array.isArray(fact)) refuse(where, `${where.key} is a list; write ${where.key} contains VALUE`);
  return fact === value;
}

function refuse({ position }, fault) {
  throw new FilterError(`filter, position ${position}: ${fault}`);
}

function kindOf(value) {
  if (Array.isArray(value)) return "a list";
  return { boolean: "true or false", number: "a number", string: "text" }[typeof value];
}
