"""Expressions over a table's columns, as `--where` takes them."""

import ast

import pandas as pd
from pandas.api.types import is_numeric_dtype

_ALLOWED = (
    ast.Expression, ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Name, ast.Constant,
    ast.List, ast.Tuple, ast.boolop, ast.unaryop, ast.cmpop, ast.expr_context,
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.BitAnd, ast.BitOr, ast.BitXor,
)  # fmt: skip
"""No powers and shifts: a few of them behind one another never end."""

_MAX_EXPRESSION = 2000
"""Characters of an expression at most."""


def filter_rows(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """Keep the rows for which an expression is true: `face_size > 120 and speech_share > 0.5`.

    It may hold column names, numbers, quoted text, lists, comparisons, `in`, `and`, `or`, `not`
    and arithmetic of numbers; nothing of it can call a function, reach an attribute, or grow.

    Raises:
        ValueError: the expression cannot be evaluated; names the part that is wrong.
    """
    where = " ".join(where.split())
    _check_expression(where, frame)
    try:
        chosen = frame.eval(where, engine="python")
    except Exception as error:
        raise ValueError(f"--where {where!r}: {error}") from error
    if not isinstance(chosen, pd.Series) or chosen.dtype.name not in ("bool", "boolean"):
        raise ValueError(f"--where {where!r} is neither true nor false for a row: compare columns")
    return frame[chosen].reset_index(drop=True)


def _check_expression(where: str, frame: pd.DataFrame) -> None:
    if len(where) > _MAX_EXPRESSION:
        raise ValueError(f"--where: {len(where)} characters, {_MAX_EXPRESSION} at most")
    try:
        tree = ast.parse(where, mode="eval")
    except (SyntaxError, MemoryError, RecursionError) as error:
        text = getattr(error, "msg", "nested too deeply")
        raise ValueError(f"--where {where!r} is no expression: {text}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in frame.columns:
            columns = ", ".join(map(str, frame.columns))
            raise ValueError(f"--where {where!r}: no column {node.id!r}: choose from {columns}")
        if not isinstance(node, _ALLOWED) or _reckons_with_text(node, frame):
            part = ast.get_source_segment(where, node) or type(node).__name__
            raise ValueError(f"--where {where!r}: {part!r} is not allowed: compare columns only")


def _reckons_with_text(node: ast.AST, frame: pd.DataFrame) -> bool:
    """Whether an operation of numbers is done on text or a list, which may become very long."""
    if not isinstance(node, ast.BinOp):
        return False
    return any(
        isinstance(side, ast.List | ast.Tuple)
        or (isinstance(side, ast.Constant) and isinstance(side.value, str | bytes))
        or (isinstance(side, ast.Name) and not is_numeric_dtype(frame[side.id]))
        for side in (node.left, node.right)
    )
