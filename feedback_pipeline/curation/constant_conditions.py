"""What data does not decide: conditions such as ``1 = 1`` or ``x = NULL``, constant answers, chance and the clock.

Poison and slips look alike here; which of them it is, a person has to say.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from feedback_pipeline.curation.truth import operands, outcomes

_ROW_SOURCES = (exp.Table, exp.Unnest, exp.Lateral, exp.TableFromRows)
_SAME_HOWEVER_MANY_ROWS = (exp.Max, exp.Min, exp.Avg, exp.AnyValue)
_FROM_OUTSIDE = (exp.Placeholder, exp.Parameter, exp.SessionParameter, exp.Window)
# "text_or_column" is what stands for a quoted name that may be either (see sql.quoted_text_to_literals).
_MAY_READ_DATA = {"text_or_column", "total"}
_ASKING_FOR_ROWS = (exp.Exists, exp.In, exp.Any, exp.All)
_CHANCE = (exp.Rand, exp.Randn, exp.Randstr, exp.Uuid, exp.TableSample)
_CHANCE_NAMES = {
    *("randomblob", "newid", "random_normal", "gen_random_bytes", "random_bytes", "uuid_generate_v1"),
    *("uuid_generate_v4", "uuidv4", "uuidv7"),
}
_CLOCK = (
    *(exp.CurrentDate, exp.CurrentTime, exp.CurrentTimestamp, exp.CurrentDatetime, exp.Localtime, exp.Localtimestamp),
    *(exp.UtcDate, exp.UtcTime, exp.UtcTimestamp),
)
_CLOCK_NAMES = {
    *("now", "sysdate", "curdate", "curtime", "getdate", "getutcdate", "sysdatetime", "today", "clock_timestamp"),
    *("statement_timestamp", "transaction_timestamp", "timeofday", "get_current_timestamp"),
}
_OF_TIME = (exp.Cast, exp.Date, exp.Datetime, exp.Time, exp.TimeToStr, exp.TsOrDsToDate, exp.TsOrDsToTimestamp)
_OF_TIME_NAMES = {"date", "time", "datetime", "julianday", "unixepoch", "strftime"}


@dataclass(frozen=True)
class ConstantCondition:
    """A condition, or a part of one, that is always or never true, or the same for all rows.

    Attributes:
        clause: the WHERE, HAVING, QUALIFY or JOIN it stands in.
        cause: the smallest part that makes it so.
        true: whether it is always true or never; None where that cannot be told, just that it is the same for all rows.
        unless_null: whether it is NULL where a value is NULL.
        whole: whether it decides the whole clause; if not, it is an operand of AND or OR that changes nothing, or
            nothing but rows with NULL.
    """

    clause: exp.Expr
    cause: exp.Expr
    true: bool | None
    unless_null: bool
    whole: bool


def constant_conditions(tree: exp.Query) -> Iterator[ConstantCondition]:
    """Yield the constant conditions of all clauses of ``tree``.

    A join ``ON TRUE`` or ``ON 1 = 1`` is a way to write a cross join and left out; ``ON a.x = a.x`` is not.
    """
    for clause in tree.find_all(exp.Where, exp.Having, exp.Qualify, exp.Join):
        condition = clause.args.get("on") if isinstance(clause, exp.Join) else clause.this
        if condition is not None:
            found = _constant_parts(clause, condition, whole=True)
            yield from (one for one in found if not (isinstance(clause, exp.Join) and _as_cross_join(one)))


def reads_data(node: exp.Expr) -> bool:
    """Tell whether the value of ``node`` depends on rows, as far as the SQL tells; counting rows is reading them."""
    return _reads(node, columns=True, ctes={})


def gives_constants(query: exp.Query, ctes: Mapping[str, exp.Query] | None = None) -> bool:
    """Tell whether all that ``query`` shows is written in the SQL, whichever rows it reads."""
    if isinstance(query, exp.Subquery):
        return isinstance(query.this, exp.Query) and gives_constants(query.this, ctes)
    if isinstance(query, exp.SetOperation):
        return all(
            isinstance(side, exp.Query) and gives_constants(side, ctes)
            for side in (query.this, query.args["expression"])
        )
    if not isinstance(query, exp.Select):
        return False
    ctes = {**(ctes or {}), **{cte.alias.lower(): cte.this for cte in query.ctes}}
    columns = not _reads_constants_only(query, ctes)
    return not any(_reads(item, columns=columns, ctes=ctes) for item in query.expressions)


def chances(tree: exp.Query) -> Iterator[exp.Expr]:
    """Yield what gives another value each time: ``random()``, a new UUID, a sample of a table."""
    for node in tree.find_all(*_CHANCE, exp.Anonymous):
        if isinstance(node, _CHANCE) or node.name.lower() in _CHANCE_NAMES:
            yield node


def clocks(tree: exp.Query) -> Iterator[exp.Expr]:
    """Yield what gives the time or day of now: ``CURRENT_DATE``, ``date('now')``."""
    return filter(_tells_time, tree.find_all(*_CLOCK, *_OF_TIME, exp.Anonymous))


def _tells_time(node: exp.Expr) -> bool:
    name = node.name.lower() if isinstance(node, exp.Anonymous) else None
    if isinstance(node, _CLOCK) or name in _CLOCK_NAMES:
        return True
    if isinstance(node, exp.Cast) and not node.is_type(*exp.DataType.TEMPORAL_TYPES):
        return False
    if isinstance(node, exp.Anonymous) and name not in _OF_TIME_NAMES:
        return False
    given = [part for part in node.iter_expressions() if not isinstance(part, exp.DataType)]
    return not given or any(isinstance(part, exp.Literal) and part.name.lower() == "now" for part in given)


def _reads(node: exp.Expr, *, columns: bool, ctes: Mapping[str, exp.Query]) -> bool:
    parts = node.walk(prune=lambda part: isinstance(part, exp.Query))
    return any(_is_read(part, columns=columns, ctes=ctes) for part in parts)


def _is_read(part: exp.Expr, *, columns: bool, ctes: Mapping[str, exp.Query]) -> bool:
    if isinstance(part, exp.Query):
        asks_for_rows = isinstance(part.parent, _ASKING_FOR_ROWS)
        return part.find(*_ROW_SOURCES) is not None if asks_for_rows else not gives_constants(part, ctes)
    if isinstance(part, exp.AggFunc) and not isinstance(part, _SAME_HOWEVER_MANY_ROWS):
        return not isinstance(part.this, exp.Distinct)
    if isinstance(part, exp.Column | exp.Star):
        return columns
    return isinstance(part, (*_FROM_OUTSIDE, *_CHANCE)) or (
        isinstance(part, exp.Anonymous) and part.name.lower() in _MAY_READ_DATA | _CHANCE_NAMES
    )


def _reads_constants_only(query: exp.Select, ctes: Mapping[str, exp.Query]) -> bool:
    """Tell whether all that stands in FROM gives constants, so that its columns are constants too."""
    sources = [clause.this for clause in [query.args.get("from_"), *query.args.get("joins", [])] if clause]
    return bool(sources) and not query.args.get("laterals") and all(_is_constant(source, ctes) for source in sources)


def _is_constant(source: exp.Expr, ctes: Mapping[str, exp.Query]) -> bool:
    if isinstance(source, exp.Table) and not source.db:
        name = source.name.lower()
        # Without its own name among the known ones, a recursive query ends here.
        return name in ctes and gives_constants(ctes[name], {key: ctes[key] for key in ctes if key != name})
    return isinstance(source, exp.Subquery) and gives_constants(source, ctes)


def _as_cross_join(condition: ConstantCondition) -> bool:
    return condition.true is not None and not condition.unless_null


def _constant_parts(clause: exp.Expr, node: exp.Expr, *, whole: bool) -> Iterator[ConstantCondition]:
    possible, node = outcomes(node), node.unnest()
    if False not in possible and True in possible:
        yield ConstantCondition(clause, _cause(node), true=True, unless_null=None in possible, whole=whole)
    elif True not in possible:
        yield ConstantCondition(clause, _cause(node), true=False, unless_null=None in possible, whole=whole)
    elif isinstance(node, exp.And | exp.Or):
        for operand in operands(node):
            yield from _constant_parts(clause, operand, whole=False)
    elif isinstance(node, exp.Not):
        yield from _constant_parts(clause, node.this, whole=whole)
    elif not reads_data(node):
        yield ConstantCondition(clause, node, true=None, unless_null=False, whole=whole)


def _cause(node: exp.Expr) -> exp.Expr:
    """Return the operand that alone makes ``node`` constant, or ``node`` itself."""
    if not isinstance(node, exp.And | exp.Or):
        return node
    deciding = [operand for operand in operands(node) if _decides(operand, node)]
    return _cause(deciding[0].unnest()) if deciding else node


def _decides(operand: exp.Expr, connector: exp.Expr) -> bool:
    possible = outcomes(operand)
    return True not in possible if isinstance(connector, exp.And) else False not in possible and True in possible
