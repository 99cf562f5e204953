"""Kinds of mutants, each a function that finds its places in C++ code: bounds of indices, accumulations, conditions,
and whatever may be left out. See mutation.py for what a mutant is."""
import collections
import re

from mutation import BASE, ROOT, Mutant, blanked, closing, line_of, marked, on_one_line, without_comments

# Included in front of the sources with mutants: what stands in for the mutated code takes the numbers of its mutants.
HEADER = BASE + r"""
namespace glimpse_mutant {
/// n, or one more or less.
template <class N>
N bound(int more, int less, N n) {
  if constexpr (std::is_integral_v<N>) {
    if (on(more)) return n + 1;
    if (on(less)) return n - 1;
  } else {  // not of an index
    none(more);
    none(less);
  }
  return n;
}
#define GLIMPSE_MUTANT_COMPARE(name, op)                                                  \
  template <class A, class B>                                                             \
  bool name(int more, int less, const A& a, const B& b) {                                 \
    if constexpr (std::is_integral_v<A> && std::is_integral_v<B>) {                       \
      return static_cast<long long>(a) op bound(more, less, static_cast<long long>(b));   \
    } else {                                                                              \
      none(more);                                                                         \
      none(less);                                                                         \
      return a op b;                                                                      \
    }                                                                                     \
  }
GLIMPSE_MUTANT_COMPARE(less, <)
GLIMPSE_MUTANT_COMPARE(less_equal, <=)
GLIMPSE_MUTANT_COMPARE(greater, >)
GLIMPSE_MUTANT_COMPARE(greater_equal, >=)
GLIMPSE_MUTANT_COMPARE(equal, ==)
/// A condition, or its contrary.
template <class C>
bool condition(int id, const C& holds) {
  return static_cast<bool>(holds) != on(id);
}
template <class X, class Y>
void add(int out, int forget, X& x, const Y& y) {
  if (on(out)) return;
  if constexpr (std::is_pointer_v<X>) {
    none(forget);
  } else if (on(forget)) {
    x = y;
    return;
  }
  x += y;
}
template <class X, class Y>
void subtract(int out, X& x, const Y& y) {
  if (!on(out)) x -= y;
}
template <class X, class Y>
void multiply(int out, X& x, const Y& y) {
  if (!on(out)) x *= y;
}
template <class X, class Y>
void assign(int out, X& x, const Y& y) {
  if (!on(out)) x = y;
}
}  // namespace glimpse_mutant
"""


COMPARISONS = {"<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal"}
ASSIGNMENTS = {"+=": "add", "-=": "subtract", "*=": "multiply", "=": "assign"}
COMPARISON = re.compile(r"(?<=\s)(<=|>=|<|>)(?=\s)")
END = re.compile(r"\bif \((\w+) (==) ([\w.]+)\) break;")
RANGE = re.compile(r"\b(?:grid_stride|grid_rows|block_stride)\(|(?<![\w:])min\(")
NAME = r"(?:\w+(?:\.\w+|->\w+|\[[^;\[\]]*(?:\[[^;\[\]]*\][^;\[\]]*)*\])*)"
STATEMENT = re.compile(rf"(?<=[;{{}})\n])(?<![\w)]\n)\s*({NAME}) (\+=|-=|\*=|=) ")


def code_of(path):
    """The file's text, and the same with everything blanked that runs while it is compiled."""
    text = (ROOT / path).read_text()
    code = without_comments(text)
    for pattern in (r"\b(?:if constexpr|static_assert|requires) *\(", r"\btemplate <"):
        for m in re.finditer(pattern, code):
            end = closing(code, m.end() - 1) if code[m.end() - 1] == "(" else code.index(">\n", m.end()) + 1
            code = code[:m.start()] + re.sub(r"[^\n]", " ", code[m.start():end]) + code[end:]
    return text, blanked(r"\bconstexpr\b[^;{]*;", code)


def condition_sites(code):
    """(begin, end, function, None) of what stands after if and while, and before a question mark."""
    for m in re.finditer(r"\b(?:if|while) \(", code):
        end = closing(code, m.end() - 1)
        if not re.search(r";|(?<![=!<>])=(?!=)", code[m.end():end]):  # not a declaration
            yield m.end(), end, "condition", None
    for m in re.finditer(r" (\?) ", code):
        yield operand(code, m.start() - 1, -1, "?"), m.start(), "condition", None


def operand(code, at, step, of="<"):
    """How far the operand of a comparison (or, of="?", a condition) at `at` reaches to the left or right."""
    depth, i = 0, at
    opens, closes = ("([{", ")]}") if step > 0 else (")]}", "([{")
    while True:
        c, pair = code[i], code[min(i, i + step):max(i, i + step) + 1]
        if c in opens:
            depth += 1
        elif c in closes:
            if depth == 0:
                break
            depth -= 1
        elif depth == 0 and (c in ";,?" or (c == ":" and ":" not in (code[i - 1], code[i + 1]))):
            break
        elif depth == 0 and of == "<" and (pair in ("&&", "||", "==", "!=")):
            break
        elif depth == 0 and step < 0 and c == "=" and code[i - 1] not in "<>=!" and code[i + 1] != "=":
            break
        i += step
    text = code[i + 1:at] if step < 0 else code[at:i]
    if step < 0:
        start = i + 1 + len(text) - len(text.lstrip())
        word = re.match(r"return\b\s*", code[start:at])
        return start + (word.end() if word else 0)
    return at + len(text.rstrip())


def bound_sites(code):
    """(begin, end, function, operator's range) of the bounds of indices."""
    for m in COMPARISON.finditer(code):
        begin, end = operand(code, m.start() - 1, -1), operand(code, m.end(), 1)
        yield begin, end, COMPARISONS[m.group(1)], m.span(1)
    for m in END.finditer(code):
        yield m.start(1), m.end(3), "equal", m.span(2)
    for m in RANGE.finditer(code):
        begin = m.start() if m.group(0) == "min(" else m.end()
        end = closing(code, m.end() - 1)
        if not re.search(r"\b(?:Strided|min) $", code[:m.start()]) and code[begin:end].strip():  # not where it is defined
            yield begin, end + (begin == m.start()), "bound", None


def accumulation_sites(code):
    """(begin, end, function, operator's range) of x += y; and the like, of x = x ...; and of reductions."""
    for m in STATEMENT.finditer(code):
        name, operator = m.group(1), m.group(2)
        end = code.index(";", m.end())
        if any(code.count(")", m.end(), i) > code.count("(", m.end(), i) for i in range(m.end(), end + 1)):
            continue  # a step of a for loop
        gathers = rf"(?:{re.escape(name)} |(?:warp_(?:sum|max|reduce)|block_\w+)\b|operation\(|MaxOf\b.*\b{re.escape(name)}\))"
        if operator == "=" and not re.match(gathers, code[m.end():end], re.S):
            continue
        yield m.start(1), end, ASSIGNMENTS[operator], m.span(2)


def mutants_at(path, text, sites, kind, changes):
    """A mutant for each change of each of the sites (begin, end, function, range of an operator in it or None)."""
    return [Mutant(path, line_of(text, site[0]), on_one_line(text[site[0]:site[1]]), kind, change, site)
            for site in sites for change in (changes(site) if callable(changes) else changes)]


def bounds(path, text, code):
    return mutants_at(path, text, bound_sites(code), "bound", ["+ 1", "- 1"])


def accumulations(path, text, code):
    changes = lambda site: ["left out", "forgets what was there"] if site[2] == "add" else ["left out"]
    return mutants_at(path, text, accumulation_sites(code), "accumulation", changes)


def conditions(path, text, code):
    return mutants_at(path, text, condition_sites(code), "condition", ["the contrary"])


def rewritten(path, numbers, mutants):
    """The file's text with the mutants of these numbers in it."""
    text = (ROOT / path).read_text()
    sites = collections.OrderedDict()
    for n in numbers:
        sites.setdefault(mutants[n].site, []).append(n)
    marks = []
    for (begin, end, function, operator), ids in sites.items():
        call = f"::glimpse_mutant::{function}({', '.join(map(str, ids))}, "
        if function == "left out":  # `operator` is what remains of it
            rest = f"{text[slice(*operator)]} : " if operator else "(void)0 : (void)"
            marks.append((begin, end, f"(::glimpse_mutant::on({ids[0]}) ? {rest}", ")"))
        elif operator:
            marks.append((begin, end, call, ")", operator, ","))
        else:
            marks.append((begin, end, call, ")"))
    return marked(text, marks)
