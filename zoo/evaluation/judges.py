"""The judges that a user gives as files, opened."""

from collections.abc import Mapping
from dataclasses import dataclass

from zoo.evaluation.arcface import ArcFace, open_arcface
from zoo.evaluation.facenet import FaceNetJudge, open_facenet
from zoo.evaluation.inception import FidJudge, open_fid_judge
from zoo.evaluation.learned_distance import BACKBONES, LpipsJudge, open_lpips
from zoo.evaluation.lips import describe_judge, open_judge
from zoo.evaluation.options import GIVEN_JUDGES, EvaluationOptions
from zoo.evaluation.sync import Judge
from zoo.metrics.rows import ARCFACE, DISTANCES, FACENET, INCEPTION


@dataclass(frozen=True, kw_only=True)
class Judges:
    """What needs one that is None has no value.

    Attributes:
        sync: of lip-sync.
        identity: of whose face it is.
        facenet: likewise.
        lpips: of how different two pictures look.
        fid: of how different two sets of pictures are.
    """

    sync: Judge | None = None
    identity: ArcFace | None = None
    facenet: FaceNetJudge | None = None
    lpips: LpipsJudge | None = None
    fid: FidJudge | None = None

    @classmethod
    def open(cls, options: EvaluationOptions) -> "Judges":
        """Those that the options name; ToolkitError where one of them is none."""
        sync, identity, device = options.sync_judge, options.identity_judge, options.device
        facenet, lpips, fid = options.facenet_judge, options.lpips_judge, options.fid_judge
        return cls(
            sync=None if sync is None else open_judge(sync, device),
            identity=None if identity is None else open_arcface(identity),
            facenet=None if facenet is None else open_facenet(facenet, device),
            lpips=None if lpips is None else open_lpips(lpips, device),
            fid=None if fid is None else open_fid_judge(fid, device),
        )

    def describe(self) -> dict[str, str]:
        """The array that each gives -> its name with the digest of its weights."""
        found = {} if self.sync is None else {DISTANCES: describe_judge(self.sync)}
        if self.lpips is not None:
            found[self.lpips.array] = self.lpips.label
        if self.fid is not None:
            found[INCEPTION] = self.fid.label
        return found | {array: judge.label for array, judge in self.list_recognisers().items()}

    def list_recognisers(self) -> "Mapping[str, ArcFace | FaceNetJudge]":
        """The array that each of those gives that see a face at a time -> the judge."""
        found = {ARCFACE: self.identity, FACENET: self.facenet}
        return {array: judge for array, judge in found.items() if judge is not None}

    def list_lacking(self) -> dict[str, str]:
        """Each array that none of them gives -> why."""
        given = self.describe()
        found = {name: one.lacking for name, one in GIVEN_JUDGES.items() if name not in given}
        if self.lpips is not None:
            seen = BACKBONES[self.lpips.array].published.what
            for name in BACKBONES.keys() & found.keys():
                found[name] += f"; the file given is {seen}'s"
        return found
