"""Who a request comes from, as far as it matters for what they may."""

from dataclasses import dataclass, replace
from enum import IntEnum


class Role(IntEnum):
    """What a caller is; each may do what those before it may."""

    USER = 1
    REVIEWER = 2
    ADMIN = 3


@dataclass(frozen=True)
class Caller:
    """A verified token.

    Attributes:
        subject: the raw id (claim ``sub``). Hash it before it is stored; never log it.
        role: the highest role of the token.
        databases: those it may read and write; None for all.
        acts_for_users: a product's backend, which may speak for its users; admins may too.
        on_behalf: the user did not send this themselves; a backend speaks for them.

    """

    subject: str
    role: Role = Role.USER
    databases: frozenset[str] | None = None
    acts_for_users: bool = False
    on_behalf: bool = False

    def has(self, role: Role) -> bool:
        """Tell whether the caller is at least ``role``."""
        return self.role >= role

    def may_use(self, database_id: str | None) -> bool:
        """Tell whether the caller may read and write what belongs to a database; None belongs to none."""
        return database_id is None or self.databases is None or database_id in self.databases

    @property
    def may_act_for_users(self) -> bool:
        """Tell whether the caller may name the user it speaks for."""
        return self.acts_for_users or self.has(Role.ADMIN)

    def as_user(self, user_id: str) -> "Caller":
        """Return the user that a backend speaks for: the same databases, no other right."""
        return replace(self, subject=user_id, role=Role.USER, acts_for_users=False, on_behalf=True)
