"""The judges that a user gives as files, opened."""

from dataclasses import dataclass

from zoo.evaluation.arcface import ArcFace, open_arcface
from zoo.evaluation.lips import describe_judge, open_judge
from zoo.evaluation.options import EvaluationOptions
from zoo.evaluation.sync import Judge
from zoo.metrics.rows import ARCFACE, DISTANCES


@dataclass(frozen=True, kw_only=True)
class Judges:
    """What needs one that is None has no value.

    Attributes:
        sync: of lip-sync.
        identity: of whose face it is.
    """

    sync: Judge | None = None
    identity: ArcFace | None = None

    @classmethod
    def open(cls, options: EvaluationOptions) -> "Judges":
        """Those that the options name; ToolkitError where one of them is none."""
        sync, identity = options.sync_judge, options.identity_judge
        return cls(
            sync=None if sync is None else open_judge(sync, options.device),
            identity=None if identity is None else open_arcface(identity),
        )

    def describe(self) -> dict[str, str]:
        """The array that each gives -> its name with the digest of its weights."""
        sync = {} if self.sync is None else {DISTANCES: describe_judge(self.sync)}
        return sync if self.identity is None else sync | {ARCFACE: self.identity.label}
