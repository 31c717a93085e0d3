"""Which rule an index was built under: the end of the fingerprint of its encoder.

The fingerprint of an encoder that has a rule is that of its codes, a slash, and that of the rule,
both shortened so that it has no more than 64 characters.
"""

from __future__ import annotations

import re

from ..errors import EncoderMismatchError
from .rule import Rule

__all__ = ["check_rule", "differ_in_rule", "with_rule"]

_RULE = 16
_CODES = 64 - 1 - _RULE
_NAMED = re.compile(rf"(.*)/([0-9a-f]{{{_RULE}}})", re.DOTALL)


def with_rule(fingerprint: str, rule: Rule | None) -> str:
    """Return the fingerprint of an encoder of these codes that ranks by a rule.

    Examples
    --------
    >>> from hashret.ranking import Hamming
    >>> with_rule("pca-1", Hamming(8))
    'pca-1/2b99d45b62a6a938'
    """
    return fingerprint if rule is None else f"{fingerprint[:_CODES]}/{rule.fingerprint[:_RULE]}"


def differ_in_rule(fingerprint: str, other: str) -> bool:
    """Whether two fingerprints are of the same codes under different rules, or one under none."""
    (codes, rule), (other_codes, other_rule) = _split(fingerprint), _split(other)
    return rule != other_rule and codes[:_CODES] == other_codes[:_CODES]


def check_rule(fingerprint: str | None, rule: Rule) -> None:
    """Raise if an index of this encoder was built under another ranking rule.

    Raises
    ------
    EncoderMismatchError
        If the fingerprint names another.
    """
    named = _split(fingerprint or "")[1]
    if named is not None and named != rule.fingerprint[:_RULE]:
        raise EncoderMismatchError(
            f"rule: the index was built under another ranking rule, of fingerprint {named}; "
            f"that of {rule!r} is {rule.fingerprint[:_RULE]}"
        )


def _split(fingerprint: str) -> tuple[str, str | None]:
    """Return what a fingerprint says of the codes, and of the rule if it names one."""
    found = _NAMED.fullmatch(fingerprint)
    return (found[1], found[2]) if found else (fingerprint, None)
