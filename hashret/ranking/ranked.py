"""What encoders have of ranking rules."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ..errors import DTypeError, ParameterError
from .fingerprints import with_rule
from .rule import Rule

__all__ = ["HasRanking"]


class HasRanking(ABC):
    """An encoder that may have a rule by which its codes are ranked."""

    _ranking: Rule | None = None

    @property
    @abstractmethod
    def code_bits(self) -> int:
        """Length of a code."""

    @property
    @abstractmethod
    def codes_fingerprint(self) -> str:
        """SHA-256 of all that codes depend on: equal fingerprints give equal codes."""

    @property
    def fingerprint(self) -> str:
        """That of the codes, and of the :attr:`ranking` if there is one; 64 characters.

        Equal ones give equal codes, ranked alike.
        """
        return with_rule(self.codes_fingerprint, self._ranking)

    @property
    def ranking(self) -> Rule | None:
        """The rule that its codes are searched by; None: Hamming distance.

        To be set once it is fitted, as rules may depend on that; fitting again drops it. It is
        saved with the encoder and part of its fingerprint, so that an index that was built under
        another is refused.

        Raises
        ------
        DTypeError
            If it is set to what is no rule.
        ParameterError
            If the rule is for codes of another length.
        """
        return self._ranking

    @ranking.setter
    def ranking(self, rule: Rule | None) -> None:
        self.codes_fingerprint  # noqa: B018  (raises if it is not fitted)
        if rule is not None and not isinstance(rule, Rule):
            raise DTypeError(f"ranking: expected a Rule or None, got {type(rule).__name__}")
        if rule is not None and rule.bits != self.code_bits:
            raise ParameterError(
                f"ranking: a rule for codes of {rule.bits} bits, the encoder makes {self.code_bits}"
            )
        self._ranking = rule
