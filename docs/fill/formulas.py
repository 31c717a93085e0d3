"""Formulas as MathML, which browsers draw by themselves: no script, nothing from elsewhere."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import latex2mathml

__all__ = ["connect", "mathml"]

_HALF = re.compile(r"(frac)\s*(\d)(\d)")


def connect(app: Any) -> None:
    """Let Sphinx write formulas so."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))


def mathml(formula: str, block: bool = False) -> str:
    """Return a formula of TeX.

    In TeX ``\\frac12`` is a half; docutils takes 12 for the numerator.
    """
    whole = _HALF.sub(r"\1{\2}{\3}", formula)
    drawn: str = latex2mathml.tex2mathml(whole, as_block=block)
    return drawn


def _inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="formula">{mathml(node.astext(), block=True)}</div>')
    raise nodes.SkipNode
