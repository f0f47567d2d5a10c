"""What of a statement may be null: its columns and its parameters.

A column may be null unless the schema, a condition or the expression rules that out. A parameter may be null
where the statement asks whether it is; what else may be is declared (`typed_queries.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from clubsync.store.database import Driver
from tests.sql.query_tree import Node, parse

#: Strict functions (and operators' functions) that nevertheless find nothing in some values.
_FIND_NOTHING = {
    *(
        "json_object_field",
        "json_object_field_text",
        "json_array_element",
        "json_array_element_text",
    ),
    *(
        "jsonb_object_field",
        "jsonb_object_field_text",
        "jsonb_array_element",
        "jsonb_array_element_text",
    ),
    *("array_length", "array_lower", "array_upper", "array_position", "current_setting"),
}
#: Functions that take nulls and return none.
_NEVER_NULL = {
    "concat",
    "concat_ws",
    "json_build_object",
    "jsonb_build_object",
    "take_customer_ids",
}

# enum RTEKind, JoinType, SubLinkType, NullTestType of the server
_RELATION, _SUBQUERY, _JOIN, _FUNCTION, _CTE, _GROUP = 0, 1, 2, 3, 6, 9
_INNER_JOIN = 0
_EXISTS, _SCALAR, _ARRAY = 0, 4, 6
_IS_NOT_NULL = 1
_SELECT, _INSERT = 1, 3


class Catalog:
    """What the analysis asks of the database's own tables."""

    def __init__(self, driver: Driver) -> None:
        self._not_null: set[tuple[int, int]] = set(
            driver.execute(
                "select attrelid::bigint, attnum from pg_attribute where attnotnull"
            ).fetchall()
        )
        self._functions: dict[int, tuple[str, bool]] = {
            oid: (name, strict)
            for oid, name, strict in driver.execute(
                "select oid::bigint, proname, proisstrict from pg_proc"
            )
        }
        self._views: dict[int, Node] = {
            oid: parse(tree)[0]
            for oid, tree in driver.execute(
                "select w.ev_class::bigint, w.ev_action::text from pg_rewrite as w"
                " inner join pg_class as c on w.ev_class = c.oid"
                " where w.rulename = '_RETURN' and c.relnamespace != 'pg_catalog'::regnamespace"
                " and c.relnamespace != 'information_schema'::regnamespace"
            )
        }

    def not_null(self, relation: int, column: int) -> bool:
        return (relation, column) in self._not_null

    def view(self, relation: int) -> Node | None:
        return self._views.get(relation)

    def name(self, function: int) -> str:
        return self._functions[function][0]

    def strict(self, function: int) -> bool:
        return self._functions[function][1]


def outputs(query: Node) -> list[Node]:
    """The columns of what a query returns."""
    entries = query.nodes(
        "targetList" if query.number("commandType") == _SELECT else "returningList"
    )
    return [entry for entry in entries if not entry.flag("resjunk")]


def always_one_row(query: Node) -> bool:
    """Whether it returns one row whatever the tables hold."""
    if query.number("commandType") == _INSERT:
        return query["onConflict"] is None and _from_nothing(query)
    if query.number("commandType") != _SELECT or query.flag("hasTargetSRFs"):
        return False
    restricted = ("setOperations", "havingQual", "limitCount", "limitOffset", "groupingSets")
    if any(query[part] is not None for part in restricted):
        return False
    return (query.flag("hasAggs") and not query.nodes("groupClause")) or _from_nothing(query)


def _from_nothing(query: Node) -> bool:
    return not query["jointree"]["fromlist"] and query["jointree"]["quals"] is None


@dataclass
class Nulls:
    """The analysis of one statement.

    :param null_parameters: numbers of the parameters that may be null.
    """

    catalog: Catalog
    null_parameters: set[int] = field(default_factory=set)

    def column(self, query: Node, number: int, above: tuple[Node, ...] = ()) -> bool:
        """Whether a column of the result may be null.

        :param number: from 0.
        :param above: the queries around this one, the outermost first.
        """
        if query["setOperations"] is not None:
            return any(
                self.column(_table(query, leaf)["subquery"], number, (*above, query))
                for leaf in query["setOperations"].walk()
                if leaf.kind == "RANGETBLREF"
            )
        return self.expression(outputs(query)[number]["expr"], (*above, query))

    def expression(self, node: Node, within: tuple[Node, ...]) -> bool:
        """Whether an expression may be null.

        :param within: the queries around it, the outermost first.
        """
        rule = self._RULES.get(node.kind)
        return True if rule is None else rule(self, node, within)

    def _never(self, node: Node, within: tuple[Node, ...]) -> bool:
        return False

    def _variable(self, node: Node, within: tuple[Node, ...]) -> bool:
        within = within[: len(within) - node.number("varlevelsup")]
        query = within[-1]
        outer_joined = bool(node["varnullingrels"][1:])
        if _known(node, query, outer_joined, self.catalog):
            return False
        if outer_joined:
            return True
        table, column = query["rtable"][node.number("varno") - 1], node.number("varattno")
        source = self._SOURCES.get(table.number("rtekind"))
        return True if source is None else source(self, table, column, within)

    def _of_relation(self, table: Node, column: int, within: tuple[Node, ...]) -> bool:
        view = self.catalog.view(table.number("relid"))
        if view is not None:
            return self.column(view, column - 1)
        return not self.catalog.not_null(table.number("relid"), column)

    def _of_subquery(self, table: Node, column: int, within: tuple[Node, ...]) -> bool:
        return self.column(table["subquery"], column - 1, within)

    def _of_join(self, table: Node, column: int, within: tuple[Node, ...]) -> bool:
        return self.expression(table["joinaliasvars"][column - 1], within)

    def _of_function(self, table: Node, column: int, within: tuple[Node, ...]) -> bool:
        # by convention an array that is handed in holds no nulls
        functions = [f["funcexpr"] for f in table["functions"]]
        return not all(
            f.kind == "FUNCEXPR" and self.catalog.name(f.number("funcid")) == "unnest"
            for f in functions
        )

    def _of_cte(self, table: Node, column: int, within: tuple[Node, ...]) -> bool:
        within = within[: len(within) - table.number("ctelevelsup")]
        cte = next(c for c in within[-1]["cteList"] if c["ctename"] == table["ctename"])
        return self.column(cte["ctequery"], column - 1, within)

    def _of_group(self, table: Node, column: int, within: tuple[Node, ...]) -> bool:
        return self.expression(table["groupexprs"][column - 1], within)

    _SOURCES: ClassVar[dict[int, Callable[[Nulls, Node, int, tuple[Node, ...]], bool]]] = {
        _RELATION: _of_relation,
        _SUBQUERY: _of_subquery,
        _JOIN: _of_join,
        _FUNCTION: _of_function,
        _CTE: _of_cte,
        _GROUP: _of_group,
    }

    def _parameter(self, node: Node, within: tuple[Node, ...]) -> bool:
        return node.number("paramid") in self.null_parameters

    def _constant(self, node: Node, within: tuple[Node, ...]) -> bool:
        return node.flag("constisnull")

    def _any_argument(self, node: Node, within: tuple[Node, ...]) -> bool:
        return any(self.expression(argument, within) for argument in _arguments(node))

    def _every_argument(self, node: Node, within: tuple[Node, ...]) -> bool:
        return all(self.expression(argument, within) for argument in _arguments(node))

    def _call(self, node: Node, within: tuple[Node, ...]) -> bool:
        function = node.number("funcid" if node.kind == "FUNCEXPR" else "opfuncid")
        name = self.catalog.name(function)
        if name in _NEVER_NULL:
            return False
        if name in _FIND_NOTHING or not self.catalog.strict(function):
            return True
        return self._any_argument(node, within)

    def _case(self, node: Node, within: tuple[Node, ...]) -> bool:
        results = [when["result"] for when in node["args"]]
        return node["defresult"] is None or any(
            self.expression(result, within) for result in [*results, node["defresult"]]
        )

    def _aggregate(self, node: Node, within: tuple[Node, ...]) -> bool:
        if self.catalog.name(node.number("aggfnoid")) == "count":
            return False
        query = within[len(within) - 1 - node.number("agglevelsup")]
        if not query.nodes("groupClause") or node["aggfilter"] is not None:
            return True  # over no rows at all
        return any(self.expression(entry["expr"], within) for entry in node.nodes("args"))

    def _window(self, node: Node, within: tuple[Node, ...]) -> bool:
        return self.catalog.name(node.number("winfnoid")) not in {"count", "row_number", "rank"}

    def _sublink(self, node: Node, within: tuple[Node, ...]) -> bool:
        kind, query = node.number("subLinkType"), node["subselect"]
        if kind in (_EXISTS, _ARRAY):
            return False
        return kind != _SCALAR or not always_one_row(query) or self.column(query, 0, within)

    _RULES: ClassVar[dict[str, Callable[[Nulls, Node, tuple[Node, ...]], bool]]] = {
        "VAR": _variable,
        "PARAM": _parameter,
        "CONST": _constant,
        "NULLTEST": _never,
        "BOOLEANTEST": _never,
        "DISTINCTEXPR": _never,
        "ARRAYEXPR": _never,
        "ROWEXPR": _never,
        "SQLVALUEFUNCTION": _never,
        "COALESCEEXPR": _every_argument,
        "MINMAXEXPR": _every_argument,
        "BOOLEXPR": _any_argument,
        "SCALARARRAYOPEXPR": _any_argument,
        "RELABELTYPE": _any_argument,
        "COERCEVIAIO": _any_argument,
        "ARRAYCOERCEEXPR": _any_argument,
        "COLLATEEXPR": _any_argument,
        "FUNCEXPR": _call,
        "OPEXPR": _call,
        "CASEEXPR": _case,
        "AGGREF": _aggregate,
        "WINDOWFUNC": _window,
        "SUBLINK": _sublink,
    }


def _table(query: Node, reference: Node) -> Node:
    table: Node = query["rtable"][reference.number("rtindex") - 1]
    return table


def _arguments(node: Node) -> list[Node]:
    return node.nodes("args") if "args" in node.fields else [node["arg"]]


def _bare(node: Node) -> Node:
    """Without the casts around it."""
    while True:
        if node.kind in ("RELABELTYPE", "COERCEVIAIO", "ARRAYCOERCEEXPR"):
            node = node["arg"]
        elif node.kind == "FUNCEXPR" and node.number("funcformat") in (1, 2):  # explicit, implicit
            node = node["args"][0]
        else:
            return node


def _known(variable: Node, query: Node, outer_joined: bool, catalog: Catalog) -> bool:
    """Whether a condition that every row of the query has met rules null out."""
    conditions = list(_conjuncts(query["jointree"]["quals"]))
    if not outer_joined:
        for join in _inner_joins(query["jointree"]):
            conditions += _conjuncts(join["quals"])
    place = (variable["varno"], variable["varattno"])
    return any(place in _ruled_out(condition, catalog) for condition in conditions)


def _conjuncts(condition: Node | None) -> Iterator[Node]:
    if condition is None:
        return
    if condition.kind == "BOOLEXPR" and condition["boolop"] == "and":
        for part in condition["args"]:
            yield from _conjuncts(part)
    else:
        yield condition


def _inner_joins(tree: Node) -> Iterator[Node]:
    """Those that no outer join is above."""
    if tree.kind == "FROMEXPR":
        for item in tree.nodes("fromlist"):
            yield from _inner_joins(item)
    elif tree.kind == "JOINEXPR" and tree.number("jointype") == _INNER_JOIN:
        yield tree
        yield from _inner_joins(tree["larg"])
        yield from _inner_joins(tree["rarg"])


def _ruled_out(condition: Node, catalog: Catalog) -> set[tuple[Any, Any]]:
    """The variables of this level that are not null where a condition is true."""
    if condition.kind == "NULLTEST" and condition.number("nulltesttype") == _IS_NOT_NULL:
        values = [condition["arg"]]
    elif condition.kind == "SCALARARRAYOPEXPR" or (
        condition.kind == "OPEXPR" and catalog.strict(condition.number("opfuncid"))
    ):
        values = condition["args"]
    else:
        return set()
    found = [_bare(value) for value in values]
    return {
        (v["varno"], v["varattno"]) for v in found if v.kind == "VAR" and v["varlevelsup"] == "0"
    }


def asked_about(statement: Node) -> set[int]:
    """The numbers of the parameters that a statement expects to be null at times: it asks, or has a substitute."""
    found = set()
    for node in statement.walk():
        if node.kind == "NULLTEST":
            values = [node["arg"]]
        elif node.kind == "COALESCEEXPR":
            values = node["args"]
        else:
            continue
        found |= {v.number("paramid") for v in map(_bare, values) if v.kind == "PARAM"}
    return found
