"""What errors say."""

import pytest

from toolkit.errors import SourceError, ToolkitError, explain_import
from toolkit.features import landmarks
from toolkit.schema import Reason


@pytest.mark.parametrize(
    ("library", "package"),
    [("libGL.so.1", "libgl1"), ("libgthread-2.0.so.0", "libglib2.0-0"), ("libEGL.so.1", "libegl1")],
)
def test_a_missing_system_library_is_named_with_the_package_that_holds_it(
    library: str, package: str
) -> None:
    error = ImportError(f"{library}: cannot open shared object file: No such file or directory")
    assert f"apt-get install {package}" in explain_import(error)


def test_any_other_failed_import_says_to_install_again() -> None:
    assert "pip install" in explain_import(ImportError("No module named 'cv2'"))


def test_a_mesh_that_cannot_be_loaded_is_a_setup_error_that_names_the_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(name: str, *args: object, **kwargs: object) -> object:
        if name.startswith("mediapipe"):
            raise ImportError("libGL.so.1: cannot open shared object file")
        return real(name, *args, **kwargs)

    import builtins

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(ToolkitError, match="libgl1"):
        landmarks.FaceMesh()


def test_a_source_error_carries_its_reason() -> None:
    assert SourceError(Reason.SILENT, "quiet").reason is Reason.SILENT
